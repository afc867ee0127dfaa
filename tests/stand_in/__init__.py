"""The backend 'cuda' where there is no GPU: its Python over NumPy's arrays, its CUDA C through the host's C++ compiler."""

from __future__ import annotations

from engine.backends.cupy import CuPy
from stand_in import arrays, cuda, memory


class StandIn(CuPy):
    """CuPy over `arrays.xp`."""

    def __init__(self):
        super().__init__(arrays.xp)

    @property
    def _special(self):
        return arrays.special()


arrays.xp.RawModule, arrays.xp.cuda = cuda.RawModule, memory.cuda
arrays.xp.__version__ = "stand-in"
arrays.xp.get_default_memory_pool = lambda: memory.pool
