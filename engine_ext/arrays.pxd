"""Checks of NumPy arrays at the boundary: dtype, layout, and the pointer to the data. Inline, no module behind it."""

cimport numpy as cnp
from numpy cimport PyArray_CheckExact, PyArray_DATA, PyArray_DIM, PyArray_FLAGS, PyArray_NDIM, PyArray_TYPE


cdef inline bint is_array(object a, int typenum) noexcept:
    """Whether `a` is a C-contiguous, aligned array of this type in native byte order: its data can be walked."""
    return (PyArray_CheckExact(a) and PyArray_TYPE(<cnp.ndarray>a) == typenum
            and (PyArray_FLAGS(<cnp.ndarray>a) & cnp.NPY_ARRAY_CARRAY_RO) == cnp.NPY_ARRAY_CARRAY_RO
            and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>a))


cdef inline bint is_f32(object a) noexcept:
    """Whether `a` is a C-contiguous float32 array."""
    return is_array(a, cnp.NPY_FLOAT32)


cdef inline float *f32(object a) noexcept:
    """The data of a float32 array that is_f32 accepted."""
    return <float *>PyArray_DATA(<cnp.ndarray>a)


cdef inline bint has_shape4(object a, Py_ssize_t d0, Py_ssize_t d1, Py_ssize_t d2, Py_ssize_t d3) noexcept:
    """Whether an array has exactly these four dimensions."""
    return (PyArray_NDIM(<cnp.ndarray>a) == 4 and PyArray_DIM(<cnp.ndarray>a, 0) == d0
            and PyArray_DIM(<cnp.ndarray>a, 1) == d1 and PyArray_DIM(<cnp.ndarray>a, 2) == d2
            and PyArray_DIM(<cnp.ndarray>a, 3) == d3)
