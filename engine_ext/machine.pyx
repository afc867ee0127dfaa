"""What this machine can do at best: multiply-adds and bytes per second, against which kernels are judged."""

import time

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

from engine_ext._isa cimport K
from engine_ext.memory cimport Block, borrow, piece
from engine_ext.parallel cimport enter, leave


def fma_peak(int threads=1, double seconds=0.2):
    """GFLOP/s of multiply-adds on registers alone, on `threads` threads with the instruction set in use."""
    cdef int64_t rounds = 100_000
    cdef double flops, best = 0
    cdef unsigned mode = 0
    cdef int _i
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        flops = 0
        start = time.perf_counter()
        with nogil, parallel(num_threads=threads):
            mode = enter()
            for _i in prange(threads, schedule="static"):
                flops += K.fma_chains(rounds)
            leave(mode)
        best = max(best, flops / (time.perf_counter() - start))
    return best / 1e9


def bandwidth(int64_t bytes, int threads=1, str mode="read", double seconds=0.2):
    """GB/s of moving `bytes` in all, spread over `threads` threads; mode "read", "write" or "copy"."""
    if mode not in ("read", "write", "copy"):
        raise ValueError(f"mode must be 'read', 'write' or 'copy', got {mode!r}")
    cdef int kind = ("read", "write", "copy").index(mode)
    cdef int64_t n = max(bytes // 4 // threads, 1024)   # floats of a thread
    cdef size_t step = piece(n * sizeof(float))
    cdef Block x = borrow(step * threads), y = borrow(step * threads)
    cdef int i
    _touch(<float *>x.data, <float *>y.data, step * threads // sizeof(float))
    best = 0.0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        with nogil, parallel(num_threads=threads):
            for i in prange(threads, schedule="static"):
                _stream(<float *>(<char *>x.data + i * step), <float *>(<char *>y.data + i * step), n, kind)
        best = max(best, (2 if kind == 2 else 1) * 4.0 * n * threads / (time.perf_counter() - start))
    return best / 1e9


cdef void _touch(
    float *x,       # OUT [n]
    float *y,       # OUT [n]
    int64_t n,
) noexcept nogil:
    K.stream_write(x, n, 1.0)
    K.stream_write(y, n, 1.0)


cdef void _stream(
    float *x,       # IN [n], OUT when writing
    float *y,       # OUT [n] when copying, [1] when reading
    int64_t n,
    int kind,
) noexcept nogil:
    if kind == 0:
        K.stream_read(x, n, y)
    elif kind == 1:
        K.stream_write(x, n, 2.0)
    else:
        K.stream_copy(y, x, n)
