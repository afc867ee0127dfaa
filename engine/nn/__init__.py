"""Layers and losses under PyTorch's names."""

from engine.nn import functional, init
from engine.nn.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from engine.nn.container import Sequential
from engine.nn.conv import Conv2d
from engine.nn.dropout import Dropout
from engine.nn.linear import Flatten, Identity, Linear
from engine.nn.loss import CrossEntropyLoss, MSELoss, NLLLoss
from engine.nn.module import Module
from engine.nn.norm import BatchNorm2d
from engine.nn.parameter import Parameter
from engine.nn.pooling import AvgPool2d, MaxPool2d

__all__ = [
    "AvgPool2d", "BatchNorm2d", "Conv2d", "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "Linear", "LogSoftmax",
    "MSELoss", "MaxPool2d", "Module", "NLLLoss", "Parameter", "ReLU", "Sequential", "Sigmoid", "Softmax", "Tanh",
    "functional", "init",
]  # fmt: skip
