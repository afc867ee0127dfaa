"""Winograd's convolution of 3x3 and 5x5 windows, and its gradient by the input: how units of tiles are spread over
threads.

With many tiles, weights are transformed first; then a thread takes a unit (winograd_units.pyx) through input transform,
products and outputs. With few, all inputs are transformed first; then a thread takes 32 outputs (2 * LANES), of all
tiles, and transforms their weights as it needs them: those of hundreds of channels are larger than the caches. What is
transformed first each thread transforms for itself, unless it is large: that is less work than to fetch what others
transformed, a third of it where cores share no cache. A result's bits do not depend on any of that. Groups are
convolutions one after the other.

Windows with stride 2 go the same way, in tiles of their own: see kernels/winograd_stride.c.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t, uint8_t

cimport cython
cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_ISWRITEABLE, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d, read_plain, read_strided_3x3
from engine_ext.memory cimport Block, borrow, empty_array, empty_f32, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for
from engine_ext.winograd_units cimport (
    CHUNK,
    FIVE,
    STRIDED,
    Winograd,
    odd_lines,
    of_group,
    outputs_tasks,
    plan,
    shape_tiles,
    transform_input,
    unit_tasks,
    weight_task,
    window_side,
)

cnp.import_array()


cdef enum:
    OWN_BYTES = 6 << 20     # of transformed weights or inputs: a thread's own, as long as the shared cache has room


@cython.final
cdef class Weights:
    """Transformed weights of a forward convolution, to be used again."""
    cdef Block block
    cdef readonly int m, lanes
    cdef readonly tuple shape
    cdef readonly int64_t groups


cdef int convolve(Winograd *f, Weights prepared) except -1:
    cdef Conv2d *q = &f.q
    cdef int64_t plane = (q.oh // 2) * (q.ow // 2) if f.taps != NULL else q.oh * q.ow
    f.x_image, f.y_image = q.c * q.h * q.w, q.o * plane
    q.c //= q.groups
    q.o //= q.groups
    shape_tiles(f)
    f.out_step = f.window if f.rotated else f.window * q.c
    f.in_step = f.window * q.o if f.rotated else f.window
    cdef int64_t tiles = q.n * ceil_div(q.oh, f.side) * ceil_div(q.ow, f.side)
    cdef double work = <double>tiles * f.positions * (<double>q.c * q.o / 16 + q.c + q.o) + <double>f.window * q.c * q.o
    cdef int team = threads_for(work * q.groups)
    plan(f, team)
    f.u = <float *>prepared.block.data if prepared is not None and prepared.lanes == K.lanes else NULL
    return few_tiles(f, team) if f.few else many_tiles(f, team)


cdef int many_tiles(Winograd *f, int team) except -1:
    cdef int64_t weights_of_group = ceil_div(f.q.o, K.lanes) * f.blocks, tasks = f.q.groups * f.units, i
    cdef size_t u_bytes = f.outs * f.u_size * sizeof(float)
    cdef bint transforms = f.u == NULL, shared = transforms and u_bytes > OWN_BYTES
    cdef size_t own = piece(u_bytes) if transforms and not shared else 0
    cdef size_t step = own + piece((f.stage_size + f.v_size + f.m_size) * sizeof(float))
    cdef Block weights = borrow(f.q.groups * u_bytes) if shared else None
    cdef Block scratch = borrow(step * team)
    cdef char *base = <char *>scratch.data
    cdef unsigned mode = 0
    if shared:
        f.u = <float *>weights.data
    with nogil, parallel(num_threads=team):
        mode = enter()
        if shared:
            for i in prange(f.q.groups * weights_of_group, schedule="static"):
                weight_task(f, i // weights_of_group, i % weights_of_group)
        for i in prange(team, schedule="static"):
            unit_tasks(f, i * tasks // team, (i + 1) * tasks // team, piece_of(base, step), piece_of(base + own, step))
        leave(mode)
    return 0


cdef int few_tiles(const Winograd *whole, int team) except -1:
    cdef Winograd f
    cdef int64_t ranges = min(ceil_div(team, whole.outs), whole.units), tasks = whole.outs * ranges, group, i
    cdef int64_t weights = whole.points * odd_lines(CHUNK * 2 * K.lanes)
    cdef int64_t products = ceil_div(whole.units, max(ranges, 1)) * whole.m_size
    cdef size_t v_bytes = whole.units * whole.v_size * sizeof(float)
    cdef bint shared = v_bytes > OWN_BYTES
    cdef size_t own = 0 if shared else piece(v_bytes)
    cdef size_t step = own + piece((whole.stage_size + weights + products) * sizeof(float))
    cdef Block inputs = borrow(v_bytes) if shared else None
    cdef Block scratch = borrow(step * team)
    cdef char *base = <char *>scratch.data
    cdef unsigned mode = 0
    for group in range(whole.q.groups):
        f = of_group(whole, group)
        f.v = <float *>inputs.data if shared else NULL
        with nogil, parallel(num_threads=team):
            mode = enter()
            if shared:
                for i in prange(f.units * f.blocks, schedule="static"):
                    transform_input(&f, i // f.blocks, i % f.blocks, piece_of(base, step),
                                    f.v + i // f.blocks * f.v_size)
            for i in prange(team, schedule="static"):
                outputs_tasks(&f, ranges, i * tasks // team, (i + 1) * tasks // team, piece_of(base, step),
                              piece_of(base + own, step))
            leave(mode)
    return 0


cdef inline float *piece_of(char *scratch, size_t step) noexcept nogil:
    """The calling thread's scratch."""
    return <float *>(scratch + threadid() * step)


cdef object forward(int m, x, w, b, geom, bint relu, residual, bint pool, Weights prepared):
    cdef Winograd f
    if not (is_f32(x) and is_f32(w) and (b is None or is_f32(b)) and (residual is None or is_f32(residual))):
        return NotImplemented
    if m == STRIDED:
        read_strided_3x3(geom, &f.q)
    else:
        read_plain(geom, &f.q, window_side(m))
    expect_shape("x", x, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.o, f.q.c // f.q.groups, f.q.kh, f.q.kw)
    if b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != f.q.o):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(f.q.o,)}")
    if residual is not None:
        expect_shape("the residual", residual, f.q.n, f.q.o, f.q.oh, f.q.ow)
    if prepared is not None and (prepared.m, prepared.shape, prepared.groups) != (m, w.shape, f.q.groups):
        raise ValueError(f"prepared are weights {prepared.shape}, {prepared.groups} groups, for tiles of {prepared.m}")
    cdef Py_ssize_t[4] shape = [f.q.n, f.q.o, f.q.oh, f.q.ow]
    if pool and min(f.q.oh, f.q.ow) < 2:
        raise ValueError(f"pooling by 2x2 needs outputs of at least that, got {f.q.oh} x {f.q.ow}")
    if pool:
        shape[2] //= 2
        shape[3] //= 2
    y = empty_f32(4, shape)
    taps = empty_array(4, shape, cnp.NPY_UINT8) if pool else None
    f.m, f.x, f.w, f.y, f.bias, f.relu = m, f32(x), f32(w), f32(y), NULL if b is None else f32(b), relu
    f.residual = NULL
    if residual is not None:
        f.residual, f.relu = f32(residual), True
    f.taps = <uint8_t *>PyArray_DATA(taps) if pool else NULL
    f.rotated = False
    convolve(&f, prepared)
    return (y, taps) if pool else y


cdef object backward(int m, g, w, geom, onto=None):
    cdef Winograd f     # of the transposed convolution: its input is g, its output dx
    if not (is_f32(g) and is_f32(w) and (onto is None or (is_f32(onto) and PyArray_ISWRITEABLE(onto)))):
        return NotImplemented
    if m == STRIDED:
        read_strided_3x3(geom, &f.q)
        if (f.q.pt - f.q.pl) % 2:
            raise ValueError(f"padding above and on the left must both be even or odd, got {geom.ints}")
        read_conv2d(geom.transposed, &f.q)
    else:
        read_plain(geom.transposed, &f.q, window_side(m))
    expect_shape("g", g, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.c, f.q.o // f.q.groups, f.q.kh, f.q.kw)
    if onto is not None:
        expect_shape("onto", onto, f.q.n, f.q.o, f.q.oh, f.q.ow)
    dx = empty_images(f.q.n, f.q.o, f.q.oh, f.q.ow) if onto is None else onto
    f.m, f.x, f.w, f.y, f.relu = m, f32(g), f32(w), f32(dx), False
    f.bias, f.residual, f.taps = NULL, NULL if onto is None else f32(onto), NULL
    f.rotated = True
    convolve(&f, None)
    return dx


def conv2d4(x, w, b, geom, bint relu=False, residual=None, Weights prepared=None):
    """Cross-correlation of x[n, c, h, w] with w[o, c, 3, 3] plus b[o] or None -> [n, o, oh, ow], by F(4x4, 3x3).

    `relu` clips it at 0, as does a `residual` of that shape, which is added before; `prepared` are the weights as
    transform_weights gives them. float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have
    the geometry's sizes.
    """
    return forward(4, x, w, b, geom, relu, residual, False, prepared)


def conv2d2(x, w, b, geom, bint relu=False, residual=None, Weights prepared=None):
    """conv2d4 by F(2x2, 3x3)."""
    return forward(2, x, w, b, geom, relu, residual, False, prepared)


def conv2d4_relu_pool(x, w, b, geom, Weights prepared=None):
    """(max_pool2d(relu(conv2d4)), taps) by windows of 2x2; taps 2 * i + j of the first largest, 4 where none is."""
    return forward(4, x, w, b, geom, True, None, True, prepared)


def conv2d4_dx(g, w, geom, onto=None):
    """Gradient of conv2d by its input: g[n, o, oh, ow], w[o, c, 3, 3] -> [n, c, h, w], by F(4x4, 3x3).

    `geom` is the forward geometry; the gradient is added to `onto`, which is written on and returned, where that is
    given. float32 and C-contiguous, else NotImplemented; ValueError when sizes do not agree.
    """
    return backward(4, g, w, geom, onto)


def conv2d2_dx(g, w, geom, onto=None):
    """conv2d4_dx by F(2x2, 3x3)."""
    return backward(2, g, w, geom, onto)


def conv2d3(x, w, b, geom, bint relu=False, residual=None):
    """conv2d4 of windows of 4x4, by F(3x3, 4x4)."""
    return forward(3, x, w, b, geom, relu, residual, False, None)


def conv2d5(x, w, b, geom, bint relu=False, residual=None, Weights prepared=None):
    """conv2d4 of windows of 5x5, by F(2x2, 5x5)."""
    return forward(FIVE, x, w, b, geom, relu, residual, False, prepared)


def conv2d5_relu_pool(x, w, b, geom, Weights prepared=None):
    """conv2d4_relu_pool of windows of 5x5."""
    return forward(FIVE, x, w, b, geom, True, None, True, prepared)


def conv2d5_dx(g, w, geom, onto=None):
    """conv2d4_dx of windows of 5x5."""
    return backward(FIVE, g, w, geom, onto)


def conv2d_stride2(x, w, b, geom, bint relu=False, Weights prepared=None):
    """conv2d4 with stride 2."""
    return forward(STRIDED, x, w, b, geom, relu, None, False, prepared)


def conv2d_stride2_dx(g, w, geom):
    """conv2d4_dx with stride 2."""
    return backward(STRIDED, g, w, geom)


def transform_weights(w, int m=4, int64_t groups=1):
    """Weights w[o, c / groups, 3, 3] as tiles of m x m outputs need them, for the instruction set in use; m of 8: those
    of stride 2; of 5: those of 5x5 windows.

    They are `prepared` above, a copy: they do not follow w. float32 and C-contiguous, else NotImplemented.
    """
    cdef Winograd f
    cdef Weights prepared = Weights.__new__(Weights)
    cdef unsigned mode = 0
    cdef int64_t i
    if not is_f32(w):
        return NotImplemented
    if m not in (2, 4, FIVE, STRIDED):
        raise ValueError(f"tiles of 2, 4, 5 or 8 expected, got {m}")
    if PyArray_NDIM(w) != 4 or w.shape[2:] != (window_side(m), window_side(m)) or min(w.shape[:2]) < 1:
        raise ValueError(f"weights [o, c, {window_side(m)}, {window_side(m)}] expected, got {w.shape}")
    if groups < 1 or PyArray_DIM(w, 0) % groups:
        raise ValueError(f"groups must divide the outputs, got {groups} and weights {w.shape}")
    f.m, f.w, f.rotated = m, f32(w), False
    f.q.o, f.q.c, f.q.groups = PyArray_DIM(w, 0) // groups, PyArray_DIM(w, 1), groups
    f.x = f.y = f.bias = f.residual = NULL
    f.taps = NULL
    f.x_image = f.y_image = 0
    shape_tiles(&f)
    f.blocks, f.outs = ceil_div(f.q.c, K.lanes), ceil_div(f.q.o, 2 * K.lanes)
    f.u_step = odd_lines(f.q.c * 2 * K.lanes)
    f.u_size = f.points * f.u_step
    f.out_step, f.in_step = f.window * f.q.c, f.window
    prepared.m, prepared.lanes, prepared.shape, prepared.groups = m, K.lanes, w.shape, groups
    prepared.block = borrow(groups * f.outs * f.u_size * sizeof(float))
    f.u = <float *>prepared.block.data
    cdef int64_t tasks = ceil_div(f.q.o, K.lanes) * f.blocks
    cdef int team = threads_for(<double>groups * f.q.o * f.q.c * f.points)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(groups * tasks, schedule="static"):
            weight_task(&f, i // tasks, i % tasks)
        leave(mode)
    return prepared
