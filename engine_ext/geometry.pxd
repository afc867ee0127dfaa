"""Arithmetic of sizes, and the sizes of a convolution for C: see geometry.pyx."""

from libc.stdint cimport int64_t

from engine_ext._isa cimport Conv2d


cdef inline int64_t ceil_div(int64_t a, int64_t b) noexcept nogil:
    return (a + b - 1) // b


# Fills `q` from a Conv2dGeometry; ValueError unless its sizes agree with one another and fit 62 bits.
cdef int read_conv2d(object geom, Conv2d *q) except -1

# The same for Winograd's algorithms: ValueError, too, unless windows are size x size with stride and dilation of 1.
cdef int read_plain(object geom, Conv2d *q, int64_t size) except -1

# or 3x3 with stride 2.
cdef int read_strided_3x3(object geom, Conv2d *q) except -1

# ValueError unless `array` has these four sizes.
cdef int expect_shape(str name, object array, Py_ssize_t d0, Py_ssize_t d1, Py_ssize_t d2, Py_ssize_t d3) except -1
