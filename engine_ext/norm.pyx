"""Batch normalisation of float32 x[N, C, ...]: statistics, the map, and both gradients.

A channel is cut into parts by its shape alone, and their sums are added in order, so that results do not depend on the
number of threads. Other dtypes and layouts give NotImplemented, sizes that disagree ValueError.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport Block, borrow, empty_f32, empty_like_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    ENOUGH = 32                 # parts of all channels together that keep every thread busy
    SMALLEST = 8192             # elements of a part

cdef struct Layout:
    int64_t images, channels, inner     # x[images, channels, inner]
    int64_t parts                       # of a channel: groups of images times pieces of a plane
    int64_t pieces
    int64_t images_each, inner_each     # of a part

cdef struct Part:
    int64_t images, n, offset           # `n` neighbours in each of `images` planes, the first at `offset`


cdef bint lay_out(object x, Layout *q):
    """Fill q; False unless x is a float32 array with channels and elements."""
    cdef int i
    if not is_f32(x) or PyArray_NDIM(<cnp.ndarray>x) < 2:
        return False
    q.images, q.channels, q.inner = PyArray_DIM(<cnp.ndarray>x, 0), PyArray_DIM(<cnp.ndarray>x, 1), 1
    for i in range(2, PyArray_NDIM(<cnp.ndarray>x)):
        q.inner *= PyArray_DIM(<cnp.ndarray>x, i)
    if q.images * q.inner == 0:
        return False
    cdef int64_t most = max(q.images * q.inner // SMALLEST, 1)
    cdef int64_t wanted = min(ceil_div(ENOUGH, max(q.channels, 1)), most)
    cdef int64_t groups = min(wanted, max(q.images, 1))
    q.images_each = ceil_div(q.images, groups)
    q.pieces = ceil_div(wanted, groups)
    q.inner_each = ceil_div(ceil_div(q.inner, q.pieces), 64) * 64
    q.parts = groups * q.pieces
    return True


cdef inline Part part_of(const Layout *q, int64_t c, int64_t p) noexcept nogil:
    cdef int64_t image = p // q.pieces * q.images_each, column = p % q.pieces * q.inner_each
    cdef Part part
    part.images = max(min(q.images_each, q.images - image), <int64_t>0)
    part.n = max(min(q.inner_each, q.inner - column), <int64_t>0)
    part.offset = (image * q.channels + c) * q.inner + column
    return part


cdef inline object per_channel(const Layout *q):
    cdef Py_ssize_t size = q.channels
    return empty_f32(1, &size)


cdef int check(const Layout *q, str name, object v, bint optional=False) except -1:
    """Whether v is float32 (or None where that is allowed); ValueError unless its shape is [C]."""
    if v is None and optional:
        return 1
    if not is_f32(v):
        return 0
    if PyArray_NDIM(<cnp.ndarray>v) != 1 or PyArray_DIM(<cnp.ndarray>v, 0) != q.channels:
        raise ValueError(f"batch_norm: {name} has shape {v.shape}, expected ({q.channels},), one for each channel of x")
    return 1


cdef inline const float *data_or_null(object v):
    return NULL if v is None else f32(v)


def batch_norm_stats(x):
    """(mean[C], var[C]) over all but axis 1 of x[N, C, ...]; var is biased."""
    cdef Layout q
    if not lay_out(x, &q):
        return NotImplemented
    mean, var = per_channel(&q), per_channel(&q)
    cdef Block scratch = borrow(q.channels * q.parts * 3 * sizeof(double))
    cdef double *moments = <double *>scratch.data
    cdef const float *px = f32(x)
    cdef float *pm = f32(mean)
    cdef float *pv = f32(var)
    cdef int team = threads_for(2.0 * q.channels * q.images * q.inner)
    cdef unsigned mode = 0
    cdef int64_t u, c
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(q.channels * q.parts, schedule="static"):
            moments_of_part(&q, px, u, moments + 3 * u)
        for c in prange(q.channels, schedule="static"):
            K.merge_moments(q.parts, moments + 3 * c * q.parts, pm + c, pv + c)
        leave(mode)
    return mean, var


cdef inline void moments_of_part(const Layout *q, const float *x, int64_t u, double *moments) noexcept nogil:
    cdef Part part = part_of(q, u // q.parts, u % q.parts)
    K.part_moments(part.images, part.n, q.channels * q.inner, x + part.offset, moments)


def batch_norm(x, mean, invstd, w, b):
    """(x - mean) * invstd * w + b with mean, invstd, w, b of shape [C]; w and b may be None."""
    cdef Layout q
    if not lay_out(x, &q):
        return NotImplemented
    if not (check(&q, "mean", mean) and check(&q, "invstd", invstd) and check(&q, "weight", w, True)
            and check(&q, "bias", b, True)):
        return NotImplemented
    y = empty_like_f32(x)
    cdef const float *px = f32(x)
    cdef const float *pm = f32(mean)
    cdef const float *ps = f32(invstd)
    cdef const float *pw = data_or_null(w)
    cdef const float *pb = data_or_null(b)
    cdef float *py = f32(y)
    cdef int64_t t, planes = q.images * q.channels
    cdef int64_t many = max(SMALLEST // max(q.inner, 1), 1)   # planes of a task
    cdef int team = threads_for(<double>planes * q.inner)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for t in prange(ceil_div(planes, many), schedule="static"):
            K.affine_planes(t * many, min((t + 1) * many, planes), q.channels, q.inner, px, pm, ps, pw, pb, py)
        leave(mode)
    return y


# ----- Gradients -----

cdef struct Gradient:
    const float *g                  # IN [N, C, inner]
    const float *x                  # IN [N, C, inner]
    const float *mean               # IN [C]
    const float *invstd             # IN [C]
    const float *w                  # IN [C] or NULL
    double *sums                    # SCRATCH [C, parts, 2]
    float *dx                       # OUT [N, C, inner]
    float *dw                       # OUT [C]
    float *db                       # OUT [C]
    bint training                   # mean and invstd depend on x


cdef inline void sums_of_part(const Layout *q, const Gradient *d, int64_t u) noexcept nogil:
    cdef int64_t c = u // q.parts
    cdef Part part = part_of(q, c, u % q.parts)
    K.part_gradient_sums(part.images, part.n, q.channels * q.inner, d.g + part.offset, d.x + part.offset, d.mean[c],
                         d.sums + 2 * u)


cdef inline void dx_of_part(const Layout *q, const Gradient *d, int64_t u) noexcept nogil:
    cdef int64_t c = u // q.parts, i
    cdef Part part = part_of(q, c, u % q.parts)
    cdef double sum_g = 0, sum_gx = 0, invstd = d.invstd[c]
    for i in range(c * q.parts, (c + 1) * q.parts):
        sum_g += d.sums[2 * i]
        sum_gx += d.sums[2 * i + 1]
    if u % q.parts == 0:
        d.dw[c] = <float>(sum_gx * invstd)
        d.db[c] = <float>sum_g
    cdef double scale = invstd * (d.w[c] if d.w != NULL else 1.0), count = <double>q.images * q.inner
    cdef int64_t step = q.channels * q.inner
    if d.training:
        K.part_gradient(part.images, part.n, step, d.g + part.offset, d.x + part.offset, d.mean[c], <float>scale,
                        <float>(-scale * invstd * invstd * sum_gx / count), <float>(-scale * sum_g / count),
                        d.dx + part.offset)
    else:
        for i in range(part.images):
            K.mul_right(part.n, d.g + part.offset + i * step, <float>scale, d.dx + part.offset + i * step)


cdef object gradients(g, x, mean, invstd, w, bint training):
    cdef Layout q
    cdef Gradient d
    if not (lay_out(g, &q) and lay_out(x, &q)):
        return NotImplemented
    if not (check(&q, "mean", mean) and check(&q, "invstd", invstd) and check(&q, "weight", w, True)):
        return NotImplemented
    if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>g, <cnp.ndarray>x):
        raise ValueError(f"batch_norm: the gradient has shape {g.shape}, x {x.shape}: expected the same")
    dx, dw, db = empty_like_f32(x), per_channel(&q), per_channel(&q)
    cdef Block scratch = borrow(q.channels * q.parts * 2 * sizeof(double))
    d.g, d.x, d.mean, d.invstd, d.w = f32(g), f32(x), f32(mean), f32(invstd), data_or_null(w)
    d.sums, d.dx, d.dw, d.db, d.training = <double *>scratch.data, f32(dx), f32(dw), f32(db), training
    cdef int team = threads_for(3.0 * q.channels * q.images * q.inner)
    cdef unsigned mode = 0
    cdef int64_t u
    with nogil, parallel(num_threads=team):
        mode = enter()
        if q.parts == 1:    # both passes over a channel while it is in the cache
            for u in prange(q.channels, schedule="static"):
                sums_of_part(&q, &d, u)
                dx_of_part(&q, &d, u)
        else:
            for u in prange(q.channels * q.parts, schedule="static"):
                sums_of_part(&q, &d, u)
            for u in prange(q.channels * q.parts, schedule="static"):
                dx_of_part(&q, &d, u)
        leave(mode)
    return dx, dw, db


def batch_norm_dx(g, x, mean, invstd, w):
    """(dx, dw[C], db[C]) where mean and invstd are those of x itself (training); w may be None."""
    return gradients(g, x, mean, invstd, w, True)


def batch_norm_eval_dx(g, x, mean, invstd, w):
    """(dx, dw[C], db[C]) where mean and invstd are constants; w may be None."""
    return gradients(g, x, mean, invstd, w, False)
