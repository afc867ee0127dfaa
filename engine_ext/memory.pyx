"""The caching allocator: arrays and scratch whose memory returns to a pool when the last view dies.

A training loop asks for the same sizes in every step; fresh pages would cost more than many kernels. Sizes are rounded
up to classes, four to each power of two, with one free list each. Large blocks lie on 2 MiB pages. The lock is the GIL.
"""

from libc.stdlib cimport free

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject
from numpy cimport PyArray_CheckExact, PyArray_FLAGS

cnp.import_array()

cdef extern from *:
    """
    #include <stdlib.h>
    #include <sys/mman.h>
    /* `size` bytes at a multiple of `align`, on huge pages where that is worth while; NULL when there are none. */
    static void *engine_pages(size_t align, size_t size)
    {
        void *p = NULL;
        if (posix_memalign(&p, align, size)) return NULL;
    #ifdef MADV_HUGEPAGE
        if (align >= 1 << 21) madvise(p, size & ~(size_t)4095, MADV_HUGEPAGE);
    #endif
        return p;
    }
    """
    void *engine_pages(size_t align, size_t size) noexcept nogil

cdef enum:
    SMALLEST = 256          # bytes of class 0
    CLASSES = 4 * 54        # up to 2^62 bytes
    HUGE_PAGE = 1 << 21
    SKEWS = 16              # large blocks start at different multiples of a page and a line

# A free block begins with the address of the next one. (Its bytes are nobody's while it is free.)
cdef struct Free:
    Free *next
    void *base

cdef Free *free_lists[CLASSES]
cdef size_t pooled_bytes = 0    # free, in the lists
cdef size_t live_bytes = 0      # in arrays and scratch
cdef size_t system_calls = 0    # blocks asked from the system
cdef unsigned skew = 0


cdef inline size_t class_size(int c) noexcept:
    return (<size_t>SMALLEST // 4 * (4 + (c & 3))) << (c >> 2)


cdef inline int class_of(size_t size) noexcept:
    """The smallest class that holds `size` bytes."""
    if size <= SMALLEST:
        return 0
    cdef int power = 63 - clzll(size - 1)                       # 2^power < size <= 2^(power + 1)
    cdef int quarter = <int>((size - 1) >> (power - 2)) & 3     # which quarter above 2^power
    return (power - 8) * 4 + quarter + 1


cdef extern from *:
    int clzll "__builtin_clzll"(unsigned long long x) noexcept nogil


@cython.freelist(64)
cdef class Block:
    """A piece of pooled memory, the base of the arrays made here."""

    def __dealloc__(self):
        global pooled_bytes, live_bytes
        if self.data == NULL:
            return
        cdef Free *head = <Free *>self.data
        head.base = self.base
        head.next = free_lists[self.size_class]
        free_lists[self.size_class] = head
        pooled_bytes += class_size(self.size_class)
        live_bytes -= class_size(self.size_class)


cdef Block borrow(size_t size):
    global pooled_bytes, live_bytes, system_calls, skew
    if size > <size_t>1 << 61:
        raise MemoryError(f"cannot allocate {size} bytes")
    cdef Block block = Block.__new__(Block)
    cdef int c = class_of(size)
    cdef size_t offset = 0, total = class_size(c)
    cdef Free *head = free_lists[c]
    cdef void *base
    if head != NULL:
        free_lists[c] = head.next
        pooled_bytes -= total
        block.base = head.base
    else:
        if total >= HUGE_PAGE:
            skew = (skew + 1) % SKEWS
            offset = skew * (4096 + 64)
        base = engine_pages(HUGE_PAGE if offset or total >= HUGE_PAGE else 64, total + offset)
        if base == NULL:
            empty_cache()
            base = engine_pages(64, total + offset)
        if base == NULL:
            raise MemoryError(f"cannot allocate {total / 2**20:.1f} MiB")
        system_calls += 1
        block.base = base
        head = <Free *>(<char *>base + offset)
    block.data = head
    block.size_class = c
    live_bytes += total
    return block


cdef object empty_array(int ndim, const Py_ssize_t *shape, int typenum):
    cdef cnp.dtype dtype = cnp.PyArray_DescrFromType(typenum)
    cdef size_t size = dtype.itemsize
    cdef int i
    for i in range(ndim):
        if shape[i] < 0:
            raise ValueError(f"negative size {shape[i]} in a shape")
        if shape[i] and size > (<size_t>1 << 61) // shape[i]:
            raise MemoryError("cannot allocate an array of more than 2**61 bytes")
        size *= shape[i]
    cdef Block block = borrow(size)
    array = cnp.PyArray_New(cnp.ndarray, ndim, <cnp.npy_intp *>shape, typenum, NULL, block.data, 0,
                            cnp.NPY_ARRAY_CARRAY, <object>NULL)
    cnp.set_array_base(array, block)
    return array


cdef object empty_f32(int ndim, const Py_ssize_t *shape):
    return empty_array(ndim, shape, cnp.NPY_FLOAT32)


cdef object empty_like_f32(object a):
    return empty_array(cnp.PyArray_NDIM(a), <const Py_ssize_t *>cnp.PyArray_DIMS(a), cnp.NPY_FLOAT32)


cdef object empty_images(int64_t n, int64_t c, int64_t h, int64_t w):
    cdef Py_ssize_t[4] shape = [n, c, h, w]
    return empty_f32(4, shape)


def empty(shape, dtype="float32"):
    """An uninitialised C-contiguous array from the pool: `shape` an int or ints, `dtype` any plain NumPy type."""
    cdef Py_ssize_t sizes[32]
    cdef cnp.dtype wanted = cnp.dtype(dtype)
    if wanted.kind not in "biufc" or not wanted.isnative:
        raise TypeError(f"memory.empty makes arrays of numbers, got dtype {wanted}")
    if not isinstance(shape, (tuple, list)):
        shape = (shape,)
    if len(shape) > 32:
        raise ValueError(f"at most 32 dimensions, got {len(shape)}")
    try:
        for i in range(len(shape)):
            sizes[i] = shape[i]
    except OverflowError:
        raise ValueError(f"the shape {tuple(shape)} has a size of more than 2**63 - 1") from None
    return empty_array(len(shape), sizes, wanted.type_num)


def owns(a):
    """Whether `a` is a contiguous array whose memory no other array can reach (the caller vouches for `a` itself)."""
    if not PyArray_CheckExact(a) or (PyArray_FLAGS(a) & cnp.NPY_ARRAY_CARRAY) != cnp.NPY_ARRAY_CARRAY:
        return False
    cdef PyObject *base = cnp.PyArray_BASE(a)
    while base != NULL:
        if base.ob_refcnt > 1:
            return False
        base = cnp.PyArray_BASE(<object>base) if PyArray_CheckExact(<object>base) else NULL
    return True


def pool_stats():
    """Bytes `live` in arrays and scratch, bytes `pooled` for reuse, blocks asked from the system (`system_calls`)."""
    return {"live": live_bytes, "pooled": pooled_bytes, "system_calls": system_calls}


def empty_cache():
    """Give the pool's free memory back to the system."""
    global pooled_bytes
    cdef Free *head
    cdef void *base
    for c in range(CLASSES):
        while free_lists[c] != NULL:
            head = free_lists[c]
            free_lists[c] = head.next
            base = head.base
            free(base)
    pooled_bytes = 0
