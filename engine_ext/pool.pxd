"""The pooling that a convolution may end in."""

from libc.stdint cimport int64_t

from engine_ext._isa cimport Pool2d

# ValueError where images are smaller than a window of 2x2.
cdef int expect_2x2(int64_t h, int64_t w) except -1

# Fills q for windows of 2x2 side by side in images [n, c, h, w].
cdef void windows_2x2(Pool2d *q, int64_t n, int64_t c, int64_t h, int64_t w) noexcept nogil
