"""Images for a network: gathers uint8 images and normalises them to float32 in one pass."""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t, uint8_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM

import numpy as np

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_array
from engine_ext.memory cimport empty_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()


cdef object coefficients(mean, std, int64_t channels):
    """(1 / (255 std), -mean / std) for each channel, as one float64 array [2, C]."""
    mean, std = (np.asarray(v, dtype=np.float64).reshape(-1) for v in (mean, std))
    if mean.size != channels or std.size != channels:
        raise ValueError(f"normalize: images have {channels} channel(s), "
                         f"got {mean.size} means and {std.size} deviations")
    if not np.all(std):
        raise ValueError(f"normalize: standard deviations must not be 0, got {std}")
    return np.stack([1 / (255 * std), -mean / std])


def normalize(images, indices, mean, std):
    """(v / 255 - mean) / std as float32 [B, C, H, W], of uint8 images [N, H, W] or [N, C, H, W].

    `indices` (int64 [B]) picks images in that order; None takes all. IndexError names an index out of range.
    """
    if not is_array(images, cnp.NPY_UINT8) or not (indices is None or is_array(indices, cnp.NPY_INT64)):
        return NotImplemented
    cdef int ndim = PyArray_NDIM(<cnp.ndarray>images)
    if ndim != 3 and ndim != 4:
        raise ValueError(f"normalize: expected images [N, H, W] or [N, C, H, W], got shape {images.shape}")
    cdef Py_ssize_t shape[4]
    cdef int64_t count = PyArray_DIM(<cnp.ndarray>images, 0), bad
    cdef const int64_t *chosen = NULL
    shape[:] = [count, PyArray_DIM(<cnp.ndarray>images, 1) if ndim == 4 else 1,
                PyArray_DIM(<cnp.ndarray>images, ndim - 2), PyArray_DIM(<cnp.ndarray>images, ndim - 1)]
    if indices is not None:
        if PyArray_NDIM(<cnp.ndarray>indices) != 1:
            raise ValueError(f"normalize: expected indices of one dimension, got shape {indices.shape}")
        chosen = <const int64_t *>PyArray_DATA(<cnp.ndarray>indices)
        shape[0] = PyArray_DIM(<cnp.ndarray>indices, 0)
        bad = K.bad_index(shape[0], count, chosen)
        if bad >= 0:
            raise IndexError(f"normalize: index {chosen[bad]} at position {bad} is out of range for {count} images")
    scales = coefficients(mean, std, shape[1])
    y = empty_f32(4, shape)
    cdef const uint8_t *from_ = <const uint8_t *>PyArray_DATA(<cnp.ndarray>images)
    cdef const double *scale = <const double *>PyArray_DATA(<cnp.ndarray>scales)
    cdef float *to = f32(y)
    cdef int64_t plane = shape[2] * shape[3], channels = shape[1], i
    cdef int team = threads_for(<double>shape[0] * channels * plane)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(shape[0], schedule="static"):
            normalize_image(channels, plane, from_ + (chosen[i] if chosen != NULL else i) * channels * plane, scale,
                            to + i * channels * plane)
        leave(mode)
    return y


cdef void normalize_image(
    int64_t channels,
    int64_t plane,
    const uint8_t *x,           # IN [channels, plane]
    const double *scale,        # IN [2, channels]: factor and offset
    float *y,                   # OUT [channels, plane]
) noexcept nogil:
    cdef int64_t c
    for c in range(channels):
        K.normalize_plane(plane, x + c * plane, <float>scale[c], <float>scale[channels + c], y + c * plane)
