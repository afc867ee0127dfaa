"""kernels.cu, compiled for one type of numbers when the first of its functions is called."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files

import numpy

BLOCK = 256  # threads of a block
BLOCKS = 132 * 16  # of a launch at most: threads go on to further elements
_NULL = numpy.uint64(0)


class Source:
    """`source(name, items, *arguments)` launches the kernel `name`, with threads for so many items.

    real: the type of its numbers, a dtype. Arrays are contiguous, Python integers 64 bits, floats `real`, bools int; None
    is a null pointer. `blocks` asks for a shape of blocks instead.
    """

    def __init__(self, cupy, real, tap="uint8"):
        self.cupy, self.real, self.tap = cupy, numpy.dtype(real), tap

    @cached_property
    def _module(self):
        types = {"float32": "float", "float64": "double", "uint8": "u8", "int32": "int"}
        return self.cupy.RawModule(
            code=files(__package__).joinpath("kernels.cu").read_text(encoding="utf-8"),
            options=("--std=c++17", f"-DReal={types[self.real.name]}", f"-DTap={types[self.tap]}", f"-DBLOCK={BLOCK}"),
        )

    def __call__(self, name, items, *arguments, blocks=None):
        if not items:
            return
        blocks = blocks or (min(-(-items // BLOCK), BLOCKS),)
        self._module.get_function(name)(blocks, (BLOCK,), tuple(map(self._argument, arguments)))

    def _argument(self, value):
        if value is None:
            return _NULL
        if isinstance(value, bool):
            return numpy.int32(value)
        if isinstance(value, int):
            return numpy.int64(value)
        return self.real.type(value) if isinstance(value, float) else value
