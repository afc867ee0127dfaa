"""Layers as functions, with PyTorch's names and argument order; one family per file."""

from engine.nn.functional.activation import *
from engine.nn.functional.convolution import *
from engine.nn.functional.dropout import *
from engine.nn.functional.linear import *
from engine.nn.functional.loss import *
from engine.nn.functional.norm import *
from engine.nn.functional.padding import *
from engine.nn.functional.pooling import *
from engine.nn.functional.resize import *
