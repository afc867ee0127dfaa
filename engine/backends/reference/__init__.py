"""The reference: every kernel in plain NumPy, for any float dtype. The definition of truth, and every fallback.

`xp` is the array module. The kernels stand in one file per family; this class only gathers them.
Layouts are NCHW. `geom` is a geometry of `engine.geometry`; `g` is the gradient of an output.
"""

from __future__ import annotations

import numpy

from engine.backends.reference.activation import Activation
from engine.backends.reference.arrays import Arrays
from engine.backends.reference.convolution import Convolution
from engine.backends.reference.fused import Fused
from engine.backends.reference.images import Images
from engine.backends.reference.indexing import Indexing
from engine.backends.reference.initial import Initial
from engine.backends.reference.intervals import Intervals
from engine.backends.reference.loss import Losses
from engine.backends.reference.norm import Normalisation
from engine.backends.reference.optim import Updates
from engine.backends.reference.padding import Padding
from engine.backends.reference.pointwise import Pointwise
from engine.backends.reference.pooling import Pooling
from engine.backends.reference.random import Draws
from engine.backends.reference.reductions import Reductions
from engine.backends.reference.resize import Resize
from engine.backends.reference.sorting import Sorting
from engine.backends.reference.unary import Unary


class Reference(
    Fused,
    Arrays,
    Indexing,
    Reductions,
    Sorting,
    Pointwise,
    Unary,
    Activation,
    Convolution,
    Pooling,
    Padding,
    Intervals,
    Resize,
    Normalisation,
    Losses,
    Updates,
    Draws,
    Initial,
    Images,
):
    """Every kernel over `self.xp`."""

    name = "reference"
    device = "cpu"
    xp = numpy

    def __deepcopy__(self, memo):
        return self  # tensors are compared by the identity of their backend
