"""Activations as functions."""

from __future__ import annotations

from engine.ops import activation
from engine.ops.activation import log_softmax, sigmoid, softmax, tanh

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]


def relu(input, inplace=False):
    """max(x, 0)."""
    return input.relu_() if inplace else activation.relu(input)
