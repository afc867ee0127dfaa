"""How work is spread over threads, and the floating-point mode inside: see parallel.pyx.

Every parallel function has this shape:

    cdef int team = threads_for(work)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(tasks, schedule="static"):
            body(...)
        leave(mode)
"""

cdef extern from *:
    """
    /* Subnormal floats are flushed to zero inside kernels only: the mode is per thread, set and restored there. */
    #if defined(__x86_64__) || defined(__i386__)
    #include <xmmintrin.h>
    static inline unsigned engine_enter(void)
    {
        unsigned mode = _mm_getcsr();
        _mm_setcsr(mode | 0x8040); /* flush to zero, denormals are zero */
        return mode;
    }
    static inline void engine_leave(unsigned mode) { _mm_setcsr(mode); }
    #elif defined(__aarch64__)
    static inline unsigned engine_enter(void)
    {
        unsigned long mode;
        __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
        __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1ul << 24));
        return (unsigned)mode;
    }
    static inline void engine_leave(unsigned mode) { __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)mode)); }
    #else
    static inline unsigned engine_enter(void) { return 0; }
    static inline void engine_leave(unsigned mode) { (void)mode; }
    #endif
    /* A team of one is no team: GCC's runtime would allocate it, and enter the kernel at each of its barriers, which
     * costs 0.4 to 0.9 us a call. The linker leads GOMP_parallel here (setup.py). */
    #ifdef ENGINE_WRAPS_GOMP
    #include <omp.h>
    void __real_GOMP_parallel(void (*body)(void *), void *data, unsigned team, unsigned flags);
    __attribute__((visibility("hidden")))
    void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned team, unsigned flags)
    {
        if (team == 1 && !omp_in_parallel()) body(data);
        else __real_GOMP_parallel(body, data, team, flags);
    }
    #endif
    """
    unsigned enter "engine_enter"() noexcept nogil
    void leave "engine_leave"(unsigned mode) noexcept nogil


# Threads for `work` elementary operations. One operation is about one float read, added and written by a vector
# loop (0.1 to 0.2 ns); count a multiply-add of the register tile as 1/16, an exponential as 4.
cdef int threads_for(double work) noexcept nogil
