"""The GPU: the reference's kernels over CuPy's arrays, and kernels of its own where these pay.

CuPy is asked for when the first tensor goes to 'cuda', and not before. A step never waits for the GPU: what is copied to
the host, printed or asked for its value does.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property

from engine.backends.cupy.arrays import Arrays
from engine.backends.cupy.convolution import Convolutions
from engine.backends.cupy.layers import Layers
from engine.backends.cupy.memory import Lane, tell_when_out
from engine.backends.cupy.source import Source
from engine.backends.cupy.suspect import Suspect
from engine.backends.cupy.updates import Updates
from engine.backends.reference import Reference
from engine.extras import needed


class NoGPU(ImportError, RuntimeError):
    """Why 'cuda' cannot be had. A RuntimeError, as PyTorch's; an ImportError for who only asks what there is."""


class _Unlimited:
    """In place of a limit to the threads of the host's BLAS."""

    def limit(self, **_):
        return nullcontext()


class CuPy(Arrays, Convolutions, Layers, Updates, Reference):
    """Every kernel over CuPy's arrays."""

    name = "cuda"
    device = "cuda:0"
    _blas = _Unlimited()

    def __init__(self, xp=None):
        self.xp = xp or _working_cupy()
        self._sources = {}
        tell_when_out(self.xp)

    def lane(self, turns):
        """A way for copies from the host beside the computation, `turns` at a time."""
        return Lane(self.xp, turns)

    @cached_property
    def _special(self):
        return needed("cupyx.scipy.special", "the error function")

    @cached_property
    def _suspect(self):
        return Suspect(self.xp)

    def _source(self, dtype, tap="uint8"):
        """The compiled kernels for numbers of a dtype."""
        key = (dtype.name, tap)
        if key not in self._sources:
            self._sources[key] = Source(self.xp, dtype, tap)
        return self._sources[key]

    def _dense(self, a):
        """The array as contiguous memory, where it is not."""
        return a if a.flags.c_contiguous else self.xp.ascontiguousarray(a)


def _working_cupy():
    """The module cupy; NoGPU says whether package, driver or device is missing, and what to do."""
    try:
        import cupy
    except ImportError as error:
        raise NoGPU(
            f"device 'cuda' is not available: CuPy does not import ({error}). With an NVIDIA GPU, type "
            "pip install 'engine[cuda13]' (driver 580 or newer) or 'engine[cuda12]' (driver 525 or newer)"
        ) from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise NoGPU(
            f"device 'cuda' is not available: CuPy finds no working driver ({error}). Check what nvidia-smi says; CuPy for "
            "CUDA 13 needs driver 580 or newer, for CUDA 12 driver 525 or newer"
        ) from None
    if not count:
        raise NoGPU("device 'cuda' is not available: CuPy finds no GPU. Check nvidia-smi and CUDA_VISIBLE_DEVICES")
    return cupy
