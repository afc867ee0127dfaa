"""The operations: forward and derivative of each, side by side; one file per family."""

from engine.ops import (
    activation,
    augment,
    conv,
    indexing,
    linear,
    loss,
    norm,
    optim,
    pointwise,
    pool,
    random,
    reduce,
    shape,
)

FAMILIES = (activation, augment, conv, indexing, linear, loss, norm, optim, pointwise, pool, random, reduce, shape)
