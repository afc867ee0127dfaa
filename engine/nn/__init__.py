"""Layers and losses under PyTorch's names; each file lists its own in `__all__`."""

from engine.nn import functional, init, utils
from engine.nn.activation import *
from engine.nn.container import *
from engine.nn.conv import *
from engine.nn.dropout import *
from engine.nn.embedding import *
from engine.nn.lazy import *
from engine.nn.linear import *
from engine.nn.local import *
from engine.nn.loss import *
from engine.nn.module import *
from engine.nn.norm import *
from engine.nn.padding import *
from engine.nn.parallel import *
from engine.nn.parameter import *
from engine.nn.pooling import *
from engine.nn.resize import *
