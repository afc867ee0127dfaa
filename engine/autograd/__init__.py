"""Tools around the tape: checking derivatives."""

from engine.autograd.gradcheck import GradcheckError, gradcheck
from engine.tape import enable_grad, no_grad, set_grad_enabled

__all__ = ["GradcheckError", "enable_grad", "gradcheck", "no_grad", "set_grad_enabled"]
