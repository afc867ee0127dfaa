"""Memory from the pool: arrays for results, blocks for scratch. See memory.pyx. All of it needs the GIL."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t


cdef class Block:
    """A piece of pooled memory, 64-byte aligned; it goes back to the pool when the object dies."""
    cdef void *data       # where the user's bytes start
    cdef void *base       # what malloc gave
    cdef int size_class


# Uninitialised C-contiguous arrays.
cdef object empty_f32(int ndim, const Py_ssize_t *shape)
cdef object empty_like_f32(object a)
cdef object empty_images(int64_t n, int64_t c, int64_t h, int64_t w)     # float32
cdef object empty_array(int ndim, const Py_ssize_t *shape, int typenum)

# Scratch: at least `size` bytes until the Block dies. MemoryError if there are none.
cdef Block borrow(size_t size)


cdef inline size_t piece(size_t size) noexcept nogil:
    """Distance of scratch pieces of `size` bytes side by side: aligned, and skewed against 4K aliasing."""
    return ((size + 4095) & ~<size_t>4095) + 4096 + 64
