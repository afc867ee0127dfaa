"""SGD and Adam: one step on a list of float32 parameters, in place, in one parallel region.

The lists must match in length and sizes and hold contiguous writable arrays; otherwise NotImplemented, and nothing has
been changed. Parameters are cut into pieces of BLOCK elements, which are the tasks.
"""

from cython.parallel cimport parallel, prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_SIZE

from engine_ext._isa cimport AdamStep, K, SgdStep
from engine_ext.arrays cimport f32, is_f32
from engine_ext.memory cimport Block, borrow
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    BLOCK = 16384

cdef struct Piece:
    float *p            # INOUT the parameter
    const float *g      # IN its gradient
    float *first        # INOUT momentum, or Adam's m; NULL when there is none
    float *second       # INOUT Adam's v
    int64_t n


cdef bint fits(list arrays, list params, bint written):
    """Whether `arrays` are ours and as large as `params`, one by one."""
    cdef Py_ssize_t i
    if len(arrays) != len(params):
        return False
    for i in range(len(params)):
        a = arrays[i]
        if not is_f32(a) or PyArray_SIZE(<cnp.ndarray>a) != PyArray_SIZE(<cnp.ndarray>params[i]):
            return False
        if written and not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>a):
            return False
    return True


cdef bint all_f32(list params):
    for p in params:
        if not is_f32(p):
            return False
    return True


cdef Block cut(list params, list grads, list first, list second, int64_t *count):
    """The pieces of all parameters, `count` of them."""
    cdef int64_t size, at, many = 0
    cdef Piece *piece
    for p in params:
        many += (PyArray_SIZE(<cnp.ndarray>p) + BLOCK - 1) // BLOCK
    cdef Block block = borrow(many * sizeof(Piece))
    piece = <Piece *>block.data
    for i in range(len(params)):
        size = PyArray_SIZE(<cnp.ndarray>params[i])
        at = 0
        while at < size:
            piece.p, piece.g = f32(params[i]) + at, f32(grads[i]) + at
            piece.first = f32(first[i]) + at if first is not None else NULL
            piece.second = f32(second[i]) + at if second is not None else NULL
            piece.n = min(<int64_t>BLOCK, size - at)
            piece += 1
            at += BLOCK
    count[0] = many
    return block


def sgd(list params not None, list grads not None, list buffers, double lr, double momentum, double dampening,
        double weight_decay, bint nesterov, bint maximize, bint first):
    """One step of stochastic gradient descent, PyTorch's formulas. `buffers` is None without momentum.

    In the `first` step the buffers become the gradients, whatever they held.
    """
    cdef SgdStep step
    cdef int64_t i, count
    if not (all_f32(params) and fits(params, params, True) and fits(grads, params, False)):
        return NotImplemented
    if buffers is not None and not fits(buffers, params, True):
        return NotImplemented
    step.lr, step.momentum, step.dampening, step.weight_decay = lr, momentum, dampening, weight_decay
    step.nesterov, step.maximize, step.first = nesterov, maximize, first
    cdef Block block = cut(params, grads, buffers, None, &count)
    cdef Piece *pieces = <Piece *>block.data
    cdef int team = threads_for(2.0 * count * BLOCK if count > 1 else 0)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(count, schedule="static"):
            K.sgd_step(pieces[i].n, pieces[i].p, pieces[i].g, pieces[i].first, &step)
        leave(mode)


def adam(list params not None, list grads not None, list m not None, list v not None, long step, double lr,
         double beta1, double beta2, double eps, double weight_decay, bint decoupled, bint maximize):
    """One step of Adam, or of AdamW where weight decay is `decoupled`; PyTorch's formulas. `step` counts from 1."""
    cdef AdamStep s
    cdef int64_t i, count
    if step < 1:
        raise ValueError(f"adam: step counts from 1, got {step}")
    if not (all_f32(params) and fits(params, params, True) and fits(grads, params, False)):
        return NotImplemented
    if not (fits(m, params, True) and fits(v, params, True)):
        return NotImplemented
    s.keep = 1 - lr * weight_decay if decoupled else 1
    s.weight_decay = 0 if decoupled else weight_decay
    s.fresh1, s.beta2, s.fresh2, s.eps, s.maximize = 1 - beta1, beta2, 1 - beta2, eps, maximize
    s.step_size, s.scale = lr / (1 - beta1 ** step), 1 / sqrt(1 - beta2 ** step)
    cdef Block block = cut(params, grads, m, v, &count)
    cdef Piece *pieces = <Piece *>block.data
    cdef int team = threads_for(8.0 * count * BLOCK if count > 1 else 0)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(count, schedule="static"):
            K.adam_step(pieces[i].n, pieces[i].p, pieces[i].g, pieces[i].first, pieces[i].second, &s)
        leave(mode)
