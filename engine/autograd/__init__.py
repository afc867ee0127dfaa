"""Tools around the tape: operations of one's own, gradients on request, checking derivatives, finding nan."""

from engine.autograd.anomaly import detect_anomaly, set_detect_anomaly
from engine.autograd.function import Function
from engine.autograd.grad import backward, grad
from engine.autograd.gradcheck import GradcheckError, gradcheck
from engine.autograd.variable import Variable
from engine.grad_mode import enable_grad, no_grad, set_grad_enabled

__all__ = [
    "Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck", "no_grad",
    "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip
