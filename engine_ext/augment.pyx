"""Images for a network: windows cut out of uint8 images, mirrored, normalised to float32 and erased, in one pass."""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t, uint8_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_array
from engine_ext.memory cimport Block, borrow, empty_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef struct Augmentation:
    int64_t c, h, w, oh, ow
    const int64_t *indices      # [B], or NULL
    const int64_t *windows      # [B, 2] rows and columns, or NULL
    const uint8_t *flips        # [B], or NULL
    const int64_t *holes        # [B, 4] row, column, height, width, or NULL
    const float *channels       # [4, C]: fill, scale, shift, value of holes


cdef bint per_image(object a, int typenum, Py_ssize_t count, Py_ssize_t columns) noexcept:
    """Whether `a` is None, or an array [count] (columns 0) or [count, columns] of this type that can be walked."""
    if a is None:
        return True
    if not is_array(a, typenum) or PyArray_NDIM(<cnp.ndarray>a) != (2 if columns else 1):
        return False
    return PyArray_DIM(<cnp.ndarray>a, 0) == count and (not columns or PyArray_DIM(<cnp.ndarray>a, 1) == columns)


cdef inline void *data_of(object a) noexcept:
    return NULL if a is None else PyArray_DATA(<cnp.ndarray>a)


def augment(images, indices, windows, flips, holes, tuple size not None, list fill not None, list scale not None,
            list shift not None, list value not None):
    """Windows of uint8 images [N, C, H, W], mirrored, times `scale` plus `shift`, with holes: float32 [B, C, *size].

    Absent arrays are None; the lists hold a number per channel. IndexError names an index out of range.
    """
    cdef Augmentation a
    cdef Py_ssize_t shape[4]
    cdef int64_t bad, i
    if not is_array(images, cnp.NPY_UINT8) or PyArray_NDIM(<cnp.ndarray>images) != 4:
        return NotImplemented
    shape[:] = [PyArray_DIM(<cnp.ndarray>images, 0), PyArray_DIM(<cnp.ndarray>images, 1), size[0], size[1]]
    cdef Py_ssize_t count = shape[0]
    if indices is not None:
        if not is_array(indices, cnp.NPY_INT64) or PyArray_NDIM(<cnp.ndarray>indices) != 1:
            return NotImplemented
        shape[0] = PyArray_DIM(<cnp.ndarray>indices, 0)
    if not (per_image(windows, cnp.NPY_INT64, shape[0], 2) and per_image(flips, cnp.NPY_BOOL, shape[0], 0)
            and per_image(holes, cnp.NPY_INT64, shape[0], 4)):
        return NotImplemented
    a.indices, a.windows = <const int64_t *>data_of(indices), <const int64_t *>data_of(windows)
    a.flips, a.holes = <const uint8_t *>data_of(flips), <const int64_t *>data_of(holes)
    if a.indices != NULL:
        bad = K.bad_index(shape[0], count, a.indices)
        if bad >= 0:
            raise IndexError(f"augment: index {a.indices[bad]} at position {bad} is out of range for {count} images")
    a.c, a.oh, a.ow = shape[1], shape[2], shape[3]
    a.h, a.w = PyArray_DIM(<cnp.ndarray>images, 2), PyArray_DIM(<cnp.ndarray>images, 3)
    cdef Block block = borrow(4 * a.c * sizeof(float))
    cdef float *number = <float *>block.data
    for values in (fill, scale, shift, value):
        if len(values) != a.c:
            raise ValueError(f"augment: images have {a.c} channel(s), got {len(values)} numbers")
        for v in values:
            number[0] = v
            number += 1
    a.channels = <const float *>block.data
    y = empty_f32(4, shape)
    cdef const uint8_t *from_ = <const uint8_t *>PyArray_DATA(<cnp.ndarray>images)
    cdef float *to = f32(y)
    cdef int team = threads_for(<double>shape[0] * a.c * a.oh * a.ow)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(shape[0], schedule="static"):
            augment_image(&a, i, from_, to)
        leave(mode)
    return y


cdef void augment_image(
    const Augmentation *a,
    int64_t i,                  # which image of the batch
    const uint8_t *images,      # IN [N, C, H, W]
    float *batch,               # OUT [B, C, OH, OW]
) noexcept nogil:
    cdef int64_t c, top = 0, left = 0
    cdef const uint8_t *x = images + (a.indices[i] if a.indices != NULL else i) * a.c * a.h * a.w
    cdef float *y = batch + i * a.c * a.oh * a.ow
    cdef const int64_t *hole = a.holes + 4 * i if a.holes != NULL else NULL
    if a.windows != NULL:
        top, left = a.windows[2 * i], a.windows[2 * i + 1]
    for c in range(a.c):
        K.augment_plane(a.h, a.w, x + c * a.h * a.w, top, left, a.flips != NULL and a.flips[i], a.oh, a.ow,
                        a.channels[c], a.channels[a.c + c], a.channels[2 * a.c + c], y)
        if hole != NULL:
            K.erase_plane(a.oh, a.ow, hole[0], hole[1], hole[2], hole[3], a.channels[3 * a.c + c], y)
        y += a.oh * a.ow
