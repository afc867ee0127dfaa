"""The backend 'cuda' where there is no GPU: its Python over NumPy's arrays, its CUDA C through the host's C++ compiler."""

from __future__ import annotations

import sys
from functools import cached_property

from engine.backends.cupy import CuPy
from stand_in import arrays, cuda, cudnn, memory


class StandIn(CuPy):
    """CuPy over `arrays.xp`."""

    def __init__(self):
        super().__init__(arrays.xp)

    @cached_property
    def _cudnn(self):
        """Only where that has a stand-in, too: the real one would take addresses of the host for the GPU's."""
        return super()._cudnn if isinstance(sys.modules.get("cudnn"), cudnn.Module) else None

    @property
    def _special(self):
        return arrays.special()


arrays.xp.RawModule, arrays.xp.cuda = cuda.RawModule, memory.cuda
arrays.xp.__version__ = "stand-in"
arrays.xp.get_default_memory_pool = lambda: memory.pool
