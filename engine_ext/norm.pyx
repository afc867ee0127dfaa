"""Batch normalisation of float32 x[N, C, ...]: statistics, the map, and the gradients; the latter two also with a
ReLU, a residual or a pooling behind it in the same pass.

The channels are cut into groups and the images into parts by the shape alone, and the parts' sums are added in order,
so that results do not depend on the number of threads. Other dtypes and layouts give NotImplemented, sizes that
disagree ValueError.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t, uint8_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport NORM_CHANNELS, K, Norm, NormPart, norm_gradient, norm_planes, norm_reduction
from engine_ext.arrays cimport f32, has_shape4, is_array, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport Block, borrow, empty_array, empty_f32, empty_like_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    ENOUGH = 32                 # parts of all channels together that keep every thread busy
    GROUPS = 16                 # of channels that do so, too
    NEAR = 1 << 19              # elements of x that threads still have in their caches when they come again
    SMALLEST = 16384            # elements of a part
    RUN = 1024                  # neighbouring floats of a group of channels, where there are as many
    TASK = 8192                 # elements of a task of the map

cdef struct Layout:
    int64_t images, channels, inner     # x[images, channels, inner]
    int64_t groups, group               # of channels, and channels of one
    int64_t parts                       # of each group: groups of images times pieces of a plane
    int64_t pieces
    int64_t images_each, inner_each     # of a part


cdef bint read(object x, Norm *q):
    """Fill the sizes of q; False unless x is a float32 array with channels and elements."""
    cdef int i
    if not is_f32(x) or PyArray_NDIM(<cnp.ndarray>x) < 2:
        return False
    q.images, q.channels, q.h, q.w = PyArray_DIM(<cnp.ndarray>x, 0), PyArray_DIM(<cnp.ndarray>x, 1), 1, 1
    for i in range(2, PyArray_NDIM(<cnp.ndarray>x)):
        q.h *= q.w
        q.w = PyArray_DIM(<cnp.ndarray>x, i)
    q.x, q.weight, q.bias = f32(x), NULL, NULL
    return q.images * q.h * q.w > 0


cdef Layout lay_out(const Norm *x, bint whole, bint twice) noexcept nogil:
    """How the sums over x are cut; `whole` planes are not; `twice`: all will be read again, where x is large each group
    while in the cache."""
    cdef Layout q
    cdef int64_t most, wanted, groups
    cdef bint by_groups = twice and x.images * x.channels * x.h * x.w > NEAR
    q.images, q.channels, q.inner = x.images, x.channels, x.h * x.w
    q.group = max(min(min(RUN // q.inner, <int64_t>NORM_CHANNELS), q.channels), <int64_t>1)
    if by_groups and q.channels >= GROUPS:
        q.group = min(q.group, q.channels // GROUPS)
    q.groups = ceil_div(q.channels, q.group)
    most = max(q.images * q.inner * q.group // SMALLEST, <int64_t>1)
    wanted = min(ceil_div(GROUPS if by_groups else ENOUGH, max(q.groups, <int64_t>1)), most)
    groups = min(wanted, q.images)
    q.images_each = ceil_div(q.images, groups)
    q.pieces = 1 if whole else ceil_div(wanted, groups)
    q.inner_each = q.inner if whole else ceil_div(ceil_div(q.inner, q.pieces), 64) * 64
    q.parts = groups * q.pieces
    return q


cdef inline NormPart part_of(const Layout *q, int64_t u) noexcept nogil:
    """The u-th of all: first images first, as other kernels go, so that a thread meets what it has in its cache."""
    cdef NormPart part
    cdef int64_t p = u // q.groups
    part.channel = u % q.groups * q.group
    part.channels = min(q.group, q.channels - part.channel)
    part.image = p // q.pieces * q.images_each
    part.images = max(min(q.images_each, q.images - part.image), <int64_t>0)
    part.column = p % q.pieces * q.inner_each
    part.n = max(min(q.inner_each, q.inner - part.column), <int64_t>0)
    return part


cdef inline object per_channel(const Norm *q):
    cdef Py_ssize_t size = q.channels
    return empty_f32(1, &size)


cdef int check(const Norm *q, str name, object v, bint optional=False) except -1:
    """Whether v is float32 (or None where that is allowed); ValueError unless its shape is [C]."""
    if v is None and optional:
        return 1
    if not is_f32(v):
        return 0
    if PyArray_NDIM(<cnp.ndarray>v) != 1 or PyArray_DIM(<cnp.ndarray>v, 0) != q.channels:
        raise ValueError(f"batch_norm: {name} has shape {v.shape}, expected ({q.channels},), one for each channel of x")
    return 1


cdef int check_like(object x, str name, object v) except -1:
    """Whether v is float32; ValueError unless its shape is that of x."""
    if not is_f32(v):
        return 0
    if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>v, <cnp.ndarray>x):
        raise ValueError(f"batch_norm: {name} has shape {v.shape}, x {x.shape}: expected the same")
    return 1


cdef int read_channels(Norm *q, object mean, object invstd, object w, object b) except -1:
    """Fill the arrays of q that have a value for each channel; 0 where a dtype is not float32."""
    if not (check(q, "mean", mean) and check(q, "invstd", invstd) and check(q, "weight", w, True)
            and check(q, "bias", b, True)):
        return 0
    q.mean, q.invstd = f32(mean), f32(invstd)
    q.weight = NULL if w is None else f32(w)
    q.bias = NULL if b is None else f32(b)
    return 1


# ----- Statistics -----

def batch_norm_stats(x):
    """(mean[C], var[C]) over all but axis 1 of x[N, C, ...]; var is biased."""
    cdef Norm q
    if not read(x, &q):
        return NotImplemented
    cdef Layout cut = lay_out(&q, False, False)
    mean, var = per_channel(&q), per_channel(&q)
    cdef Block scratch = borrow((2 * cut.parts * q.channels + cut.parts) * sizeof(double))
    cdef double *counts = <double *>scratch.data
    cdef double *moments = counts + cut.parts
    cdef float *pm = f32(mean)
    cdef float *pv = f32(var)
    cdef int team = threads_for(2.0 * q.channels * q.images * cut.inner)
    cdef unsigned mode = 0
    cdef int64_t u
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(cut.groups * cut.parts, schedule="static"):
            moments_of_part(&q, &cut, u, counts, moments)
        for u in prange(cut.groups, schedule="static"):
            merge_group(&cut, u * cut.group, counts, moments, pm, pv)
        leave(mode)
    return mean, var


cdef inline void moments_of_part(const Norm *q, const Layout *cut, int64_t u, double *counts,
                                 double *moments) noexcept nogil:
    cdef NormPart part = part_of(cut, u)
    cdef double *to = moments + 2 * (u // cut.groups) * q.channels + part.channel
    if part.channel == 0:   # the same for all groups
        counts[u // cut.groups] = part.images * part.n
    K.norm_moments(q, &part, to, to + q.channels)


cdef inline void merge_group(const Layout *cut, int64_t first, const double *counts, const double *moments, float *mean,
                             float *var) noexcept nogil:
    K.merge_moments(min(cut.group, cut.channels - first), cut.parts, cut.channels, counts, moments + first,
                    mean + first, var + first)


def invstd(var, double eps):
    """1 / sqrt(var + eps) of var[C]."""
    if not is_f32(var):
        return NotImplemented
    y = empty_like_f32(var)
    K.norm_invstd(cnp.PyArray_SIZE(var), f32(var), <float>eps, f32(y))
    return y


def lerp_into(a, b, double weight, double factor):
    """a += weight * (factor * b - a), in place, of a[C] and b[C]: running statistics."""
    if not (is_f32(a) and is_f32(b)):
        return NotImplemented
    if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>a, <cnp.ndarray>b):
        raise ValueError(f"lerp_into: a has shape {a.shape}, b {b.shape}: expected the same")
    if not cnp.PyArray_ISWRITEABLE(a):
        return NotImplemented
    cdef float *onto = f32(a)
    cdef const float *towards = f32(b)
    cdef float w = <float>weight, f = <float>factor
    cdef int64_t i
    for i in range(cnp.PyArray_SIZE(a)):
        onto[i] += w * (f * towards[i] - onto[i])


def increment(a):
    """One more in a 0-d int64 array, in place."""
    if not (is_array(a, cnp.NPY_INT64) and PyArray_NDIM(<cnp.ndarray>a) == 0
            and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>a)):
        return NotImplemented
    (<int64_t *>PyArray_DATA(<cnp.ndarray>a))[0] += 1


# ----- The map -----

cdef void apply(const Norm *q, norm_planes kernel, int64_t n, int64_t align):
    """kernel on all planes, each in pieces of its `n` floats or rows where there are few planes."""
    cdef int64_t planes = q.images * q.channels, plane = q.h * q.w
    cdef int64_t many = max(TASK // plane, <int64_t>1), each = n, pieces = 1
    if 0 < planes < ENOUGH and plane > TASK:
        pieces = min(ceil_div(ENOUGH, planes), plane // TASK + 1)
        each = ceil_div(ceil_div(n, pieces), align) * align
        pieces = ceil_div(n, each)
    cdef int64_t u, first, column
    cdef int team = threads_for(<double>planes * plane)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(ceil_div(planes, many) * pieces, schedule="static"):
            first = u // pieces * many
            column = u % pieces * each
            kernel(q, first, min(first + many, planes), column, min(each, n - column))
        leave(mode)


def batch_norm(x, mean, invstd, w, b):
    """(x - mean) * invstd * w + b with mean, invstd, w, b of shape [C]; w and b may be None."""
    cdef Norm q
    if not (read(x, &q) and read_channels(&q, mean, invstd, w, b)):
        return NotImplemented
    y = empty_like_f32(x)
    q.out = f32(y)
    apply(&q, K.norm_map, q.h * q.w, 64)
    return y


def batch_norm_relu(x, mean, invstd, w, b):
    """relu(batch_norm)."""
    cdef Norm q
    if not (read(x, &q) and read_channels(&q, mean, invstd, w, b)):
        return NotImplemented
    y = empty_like_f32(x)
    q.out = f32(y)
    apply(&q, K.norm_relu, q.h * q.w, 64)
    return y


def batch_norm_add_relu(x, mean, invstd, w, b, residual):
    """relu(batch_norm + residual)."""
    cdef Norm q
    if not (read(x, &q) and read_channels(&q, mean, invstd, w, b) and check_like(x, "the residual", residual)):
        return NotImplemented
    y = empty_like_f32(x)
    q.residual, q.out = f32(residual), f32(y)
    apply(&q, K.norm_add_relu, q.h * q.w, 64)
    return y


cdef object pooled(const Norm *q, int typenum):
    cdef Py_ssize_t shape[4]
    shape[:] = [q.images, q.channels, q.h // 2, q.w // 2]
    return empty_array(4, shape, typenum)


def batch_norm_relu_pool(x, mean, invstd, w, b):
    """(y, taps) of max_pool2d(relu(batch_norm)) with 2x2 windows: taps 2*i + j, or 4 where nothing is above 0."""
    cdef Norm q
    if not (read(x, &q) and PyArray_NDIM(<cnp.ndarray>x) == 4 and read_channels(&q, mean, invstd, w, b)):
        return NotImplemented
    if q.h < 2 or q.w < 2:
        raise ValueError(f"pooling: images of {q.h}x{q.w} are smaller than the window of 2x2")
    y, taps = pooled(&q, cnp.NPY_FLOAT32), pooled(&q, cnp.NPY_UINT8)
    q.out, q.found = f32(y), <uint8_t *>PyArray_DATA(<cnp.ndarray>taps)
    apply(&q, K.norm_relu_pool, q.h // 2, 1)
    return y, taps


# ----- Gradients -----

cdef inline object onto(object g, bint spare):
    """The array of a result like g: g itself where it is `spare` and can be written."""
    return g if spare and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g) else empty_like_f32(g)


cdef object gradients(Norm *q, object dx, norm_reduction sums_of, norm_gradient dx_of, bint constants, bint whole):
    """(dx, dw, db) of q, whose inputs are filled; `constants`: mean and invstd do not depend on x."""
    cdef Layout cut = lay_out(q, whole, True)
    dw, db = per_channel(q), per_channel(q)
    cdef Block scratch = borrow(2 * cut.parts * q.channels * sizeof(double) + 3 * q.channels * sizeof(float))
    cdef double *sums = <double *>scratch.data
    cdef float *factors = <float *>(sums + 2 * cut.parts * q.channels)
    cdef float *pw = f32(dw)
    cdef float *pb = f32(db)
    q.out = f32(dx)
    cdef int team = threads_for(3.0 * q.channels * q.images * cut.inner)
    cdef unsigned mode = 0
    cdef int64_t u
    with nogil, parallel(num_threads=team):
        mode = enter()
        if cut.parts == 1:      # both passes over a group while it is in the cache
            for u in prange(cut.groups, schedule="static"):
                sums_of_part(q, &cut, u, sums_of, sums)
                factors_of_group(q, &cut, u, sums, constants, factors, pw, pb)
                dx_of_part(q, &cut, u, dx_of, factors)
        else:
            for u in prange(cut.groups * cut.parts, schedule="static"):
                sums_of_part(q, &cut, u, sums_of, sums)
            for u in prange(cut.groups, schedule="static"):
                factors_of_group(q, &cut, u, sums, constants, factors, pw, pb)
            for u in prange(cut.groups * cut.parts, schedule="static"):
                dx_of_part(q, &cut, u, dx_of, factors)
        leave(mode)
    return dx, dw, db


cdef inline void sums_of_part(const Norm *q, const Layout *cut, int64_t u, norm_reduction kernel,
                              double *sums) noexcept nogil:
    cdef NormPart part = part_of(cut, u)
    cdef double *to = sums + 2 * (u // cut.groups) * q.channels + part.channel
    kernel(q, &part, to, to + q.channels)


cdef inline void factors_of_group(const Norm *q, const Layout *cut, int64_t group, const double *sums, bint constants,
                                  float *factors, float *dw, float *db) noexcept nogil:
    cdef int64_t first = group * cut.group
    K.norm_factors(q, first, min(first + cut.group, q.channels), cut.parts, sums, constants, factors, dw, db)


cdef inline void dx_of_part(const Norm *q, const Layout *cut, int64_t u, norm_gradient kernel,
                            const float *factors) noexcept nogil:
    cdef NormPart part = part_of(cut, u)
    kernel(q, &part, factors)


cdef bint read_gradient(Norm *q, object g, object x, object mean, object invstd, object w, object b) except -1:
    """Fill q; 0 where a dtype or a layout is not ours."""
    if not (read(x, q) and read_channels(q, mean, invstd, w, b) and check_like(x, "the gradient", g)):
        return 0
    q.g = f32(g)
    return 1


def batch_norm_dx(g, x, mean, invstd, w, bint spare=False):
    """(dx, dw[C], db[C]) where mean and invstd are those of x itself (training); w may be None.

    `spare`, here and below: nobody needs g any more, its memory may hold a result.
    """
    cdef Norm q
    if not read_gradient(&q, g, x, mean, invstd, w, None):
        return NotImplemented
    return gradients(&q, onto(g, spare), K.norm_sums, K.norm_dx, False, False)


def batch_norm_eval_dx(g, x, mean, invstd, w):
    """(dx, dw[C], db[C]) where mean and invstd are constants; w may be None."""
    cdef Norm q
    if not read_gradient(&q, g, x, mean, invstd, w, None):
        return NotImplemented
    return gradients(&q, empty_like_f32(x), K.norm_sums, K.norm_dx, True, False)


def batch_norm_relu_dx(g, x, mean, invstd, w, b, bint spare=False):
    """(dx, dw, db) of batch_norm_relu in training; where the ReLU let something through is computed again."""
    cdef Norm q
    if not read_gradient(&q, g, x, mean, invstd, w, b):
        return NotImplemented
    return gradients(&q, onto(g, spare), K.norm_relu_sums, K.norm_relu_dx, False, False)


def batch_norm_add_relu_dx(g, y, x, mean, invstd, w, bint spare=False):
    """(dx, dw, db, dresidual) of batch_norm_add_relu, whose output is y, in training."""
    cdef Norm q
    if not (read_gradient(&q, g, x, mean, invstd, w, None) and check_like(x, "the output", y)):
        return NotImplemented
    dresidual = onto(g, spare)
    q.y, q.inner = f32(y), f32(dresidual)
    dx, dw, db = gradients(&q, empty_like_f32(x), K.norm_add_relu_sums, K.norm_add_relu_dx, False, False)
    return dx, dw, db, dresidual


def batch_norm_relu_pool_dx(g, taps, x, mean, invstd, w):
    """(dx, dw, db) of batch_norm_relu_pool in training."""
    cdef Norm q
    if not (read(x, &q) and PyArray_NDIM(<cnp.ndarray>x) == 4 and read_channels(&q, mean, invstd, w, None)
            and is_f32(g) and is_array(taps, cnp.NPY_UINT8)):
        return NotImplemented
    if not (has_shape4(g, q.images, q.channels, q.h // 2, q.w // 2)
            and has_shape4(taps, q.images, q.channels, q.h // 2, q.w // 2)):
        raise ValueError(f"batch_norm: the gradient has shape {g.shape}, its taps {taps.shape}: expected both "
                         f"{(q.images, q.channels, q.h // 2, q.w // 2)} for x of shape {x.shape}")
    q.g, q.taps = f32(g), <const uint8_t *>PyArray_DATA(<cnp.ndarray>taps)
    return gradients(&q, empty_like_f32(x), K.norm_pool_sums, K.norm_pool_dx, False, True)
