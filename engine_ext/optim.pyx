"""Optimisers: one step on a list of float32 parameters, in place, in one parallel region.

The lists must match in length and sizes and hold contiguous writable arrays; otherwise NotImplemented, and nothing has
been changed. Parameters are cut into pieces of BLOCK elements, which are the tasks. Formulas: the kernels of the same
names of the reference; here stands which number is which field of Update.
"""

from cython.parallel cimport parallel, prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_SIZE

from engine_ext._isa cimport K, Update, update_step
from engine_ext.arrays cimport f32, is_f32
from engine_ext.memory cimport Block, borrow
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    BLOCK = 16384
    STATES = 3

cdef struct Piece:
    float *p                    # INOUT the parameter
    const float *g              # IN its gradient
    float *state[STATES]        # INOUT momentum, running means, ...; NULL where there is none
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


cdef Block cut(list params, list grads, tuple states, int64_t *count):
    """The pieces of all parameters, `count` of them."""
    cdef int64_t size, at, many = 0
    cdef int s
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
            for s in range(STATES):
                given = states[s] if s < len(states) else None
                piece.state[s] = f32(given[i]) + at if given is not None else NULL
            piece.n = min(<int64_t>BLOCK, size - at)
            piece += 1
            at += BLOCK
    count[0] = many
    return block


cdef run(update_step step, list params, list grads, tuple states, Update *u, double cost):
    """The step on every piece; `cost`: elementary operations per element. `states`: lists, None where absent."""
    cdef int64_t i, count
    if not (all_f32(params) and fits(params, params, True) and fits(grads, params, False)):
        return NotImplemented
    for state in states:
        if state is not None and not fits(state, params, True):
            return NotImplemented
    cdef Block block = cut(params, grads, states, &count)
    cdef Piece *pieces = <Piece *>block.data
    cdef int team = threads_for(cost * count * BLOCK if count > 1 else 0)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(count, schedule="static"):
            step(pieces[i].n, pieces[i].p, pieces[i].g, pieces[i].state, u)
        leave(mode)


cdef Update common(double lr, double weight_decay, bint decoupled, bint maximize, double beta1=0, double beta2=0,
                   double eps=0):
    """What most have: weight decay, added or decoupled, and the shares of old and new in two running means."""
    cdef Update u
    u.lr, u.sign, u.eps = lr, -1 if maximize else 1, eps
    u.decay, u.keep = 0 if decoupled else weight_decay, 1 - lr * weight_decay if decoupled else 1
    u.keep1, u.fresh1, u.keep2, u.fresh2 = beta1, 1 - beta1, beta2, 1 - beta2
    u.size1 = u.size2 = u.scale = 0
    u.first = u.nesterov = False
    return u


def sgd(list params not None, list grads not None, list buffers, double lr, double momentum, double dampening,
        double weight_decay, bint nesterov, bint maximize, bint first):
    """Stochastic gradient descent. `buffers` is None without momentum; in the `first` step they become the gradient."""
    cdef Update u = common(lr, weight_decay, False, maximize, momentum)
    u.fresh1, u.nesterov, u.first = 1 - dampening, nesterov, first
    return run(K.sgd_step, params, grads, (buffers,), &u, 2)


cdef double correction(double beta, long step) except -1:
    """What of a running mean is not its start from 0, after `step` steps."""
    if step < 1:
        raise ValueError(f"step counts from 1, got {step}")
    return 1 - beta ** step


def adam(list params not None, list grads not None, list m not None, list v not None, long step, double lr,
         double beta1, double beta2, double eps, double weight_decay, bint decoupled, bint maximize):
    """Adam, or AdamW where weight decay is `decoupled`."""
    cdef Update u = common(lr, weight_decay, decoupled, maximize, beta1, beta2, eps)
    u.size1, u.scale = lr / correction(beta1, step), 1 / sqrt(correction(beta2, step))
    return run(K.adam_step, params, grads, (m, v), &u, 8)


def amsgrad(list params not None, list grads not None, list m not None, list v not None, list tops not None, long step,
            double lr, double beta1, double beta2, double eps, double weight_decay, bint decoupled, bint maximize):
    """Adam divided by the largest mean of squares so far, `tops`."""
    cdef Update u = common(lr, weight_decay, decoupled, maximize, beta1, beta2, eps)
    u.size1, u.scale = lr / correction(beta1, step), 1 / sqrt(correction(beta2, step))
    return run(K.adam_step, params, grads, (m, v, tops), &u, 9)


def nadam(list params not None, list grads not None, list m not None, list v not None, long step, double lr,
          double beta1, double beta2, double eps, double weight_decay, bint decoupled, bint maximize, double fresh,
          double kept):
    """NAdam: `fresh` and `kept` are the sizes of the steps along the gradient and along m."""
    cdef Update u = common(lr, weight_decay, decoupled, maximize, beta1, beta2, eps)
    u.size1, u.size2, u.scale = fresh, kept, 1 / correction(beta2, step)
    return run(K.nadam_step, params, grads, (m, v), &u, 9)


def radam(list params not None, list grads not None, list m not None, list v not None, long step, double lr,
          double beta1, double beta2, double eps, double weight_decay, bint decoupled, bint maximize):
    """RAdam: not scaled while the average of squares is too short."""
    cdef Update u = common(lr, weight_decay, decoupled, maximize, beta1, beta2, eps)
    cdef double left = correction(beta2, step), longest = 2 / (1 - beta2) - 1
    cdef double length = longest - 2 * step * beta2 ** step / left
    u.size1 = lr / correction(beta1, step)
    if length > 5:
        u.scale = sqrt(left) * sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    return run(K.radam_step, params, grads, (m, v), &u, 8)


def adamax(list params not None, list grads not None, list m not None, list norms not None, long step, double lr,
           double beta1, double beta2, double eps, double weight_decay, bint maximize):
    """Adamax."""
    cdef Update u = common(lr, weight_decay, False, maximize, beta1, beta2, eps)
    u.size1 = lr / correction(beta1, step)
    return run(K.adamax_step, params, grads, (m, norms), &u, 7)


def rmsprop(list params not None, list grads not None, list squares not None, list means, list buffers, double lr,
            double alpha, double eps, double weight_decay, double momentum, bint maximize):
    """RMSprop; `means` where it is centred, `buffers` with momentum, else None."""
    cdef Update u = common(lr, weight_decay, False, maximize, momentum, alpha, eps)
    return run(K.rmsprop_step, params, grads, (squares, means, buffers), &u, 8)


def adagrad(list params not None, list grads not None, list sums not None, double lr, double eps, double weight_decay,
            bint maximize):
    """Adagrad."""
    cdef Update u = common(lr, weight_decay, False, maximize, 0, 0, eps)
    return run(K.adagrad_step, params, grads, (sums,), &u, 6)


def adadelta(list params not None, list grads not None, list squares not None, list moves not None, double lr,
             double rho, double eps, double weight_decay, bint maximize):
    """Adadelta."""
    cdef Update u = common(lr, weight_decay, False, maximize, 0, rho, eps)
    return run(K.adadelta_step, params, grads, (squares, moves), &u, 12)


def lion(list params not None, list grads not None, list m not None, double lr, double beta1, double beta2,
         double weight_decay, bint maximize):
    """Lion."""
    cdef Update u = common(lr, weight_decay, True, maximize, beta1, beta2)
    return run(K.lion_step, params, grads, (m,), &u, 4)
