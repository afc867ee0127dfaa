"""Where taps lie once every convolution has stride 1: along one axis of an image that was staged.

A strided window reads every s-th row: staging puts the rows s apart together, and the taps of each lie side by side.
An upsampled image (the input gradient of a strided convolution) is never written out: its outputs u apart form a phase,
which is a convolution of stride 1 with those taps that meet no inserted zeros.
"""

from libc.stdint cimport int64_t

from engine_ext._isa cimport Conv2d, Stage


cdef enum:
    SLACK = 256     # bytes behind a panel or stage that may be touched


cdef struct Axis:
    int64_t size, out, kernel, dilation
    int64_t stride, up      # one of them is 1
    int64_t before          # padding
    int64_t low             # upsampled: where the first row of the staged plane lies in the image
    int64_t apart           # planes of rows `stride` apart that are needed
    int64_t extent          # rows of one


cdef inline int64_t axis_phase(const Axis *a, int64_t tap) noexcept nogil:
    """Which outputs a tap serves: those phase, phase + up, ..."""
    cdef int64_t rest = (a.before - tap * a.dilation) % a.up
    return rest + a.up if rest < 0 else rest


cdef inline int64_t axis_outputs(const Axis *a, int64_t phase) noexcept nogil:
    return (a.out - phase + a.up - 1) // a.up if phase < a.out else 0


cdef inline int64_t axis_plane(const Axis *a, int64_t tap) noexcept nogil:
    """The plane in which a tap is read."""
    return tap * a.dilation % a.stride


cdef inline int64_t axis_row(const Axis *a, int64_t tap) noexcept nogil:
    """The row of it that a tap of output 0 reads."""
    if a.up == 1:
        return tap * a.dilation // a.stride
    return (axis_phase(a, tap) + tap * a.dilation - a.before) // a.up - a.low


cdef inline int64_t axis_place(const Axis *a, int64_t tap) noexcept nogil:
    """The row of the image that a tap of output 0 reads, maybe outside; that of output y is y * stride further."""
    if a.up == 1:
        return tap * a.dilation - a.before
    return axis_row(a, tap) + a.low


cdef inline Axis make_axis(
    int64_t size, int64_t out, int64_t kernel, int64_t dilation, int64_t stride, int64_t up, int64_t before,
) noexcept nogil:
    cdef Axis a = Axis(size, out, kernel, dilation, stride, up, before, 0, 1, 1)
    cdef int64_t tap
    if up > 1:
        a.low = axis_place(&a, 0)
        for tap in range(kernel):
            a.low = min(a.low, axis_place(&a, tap))
    for tap in range(kernel):
        a.apart = max(a.apart, axis_plane(&a, tap) + 1)
        a.extent = max(a.extent, axis_row(&a, tap) + axis_outputs(&a, axis_phase(&a, tap)))
    return a


cdef inline Axis vertical(const Conv2d *q) noexcept nogil:
    return make_axis(q.h, q.oh, q.kh, q.dh, q.sh, q.uh, q.pt)


cdef inline Axis horizontal(const Conv2d *q) noexcept nogil:
    return make_axis(q.w, q.ow, q.kw, q.dw, q.sw, q.uw, q.pl)


cdef inline Stage make_stage(const Axis *y, const Axis *x) noexcept nogil:
    return Stage(y.size, x.size, -axis_start(y), -axis_start(x), y.stride, x.stride, y.apart, x.apart, y.extent,
                 x.extent)


cdef inline int64_t axis_start(const Axis *a) noexcept nogil:
    """The row of the image where the staged plane starts."""
    return a.low if a.up > 1 else -a.before


cdef inline int64_t stage_floats(const Stage *s) noexcept nogil:
    """Floats of a staged channel."""
    return s.rows_apart * s.columns_apart * s.height * s.width


cdef inline bint axis_as_is(const Axis *a) noexcept nogil:
    """Whether the staged plane would be the image itself."""
    return axis_start(a) == 0 and a.stride == 1 and a.extent == a.size


cdef inline int64_t tap_offset(const Axis *y, const Axis *x, int64_t i, int64_t j) noexcept nogil:
    """From a pixel to tap (i, j) of it, within a staged channel."""
    cdef int64_t plane = axis_plane(y, i) * x.apart + axis_plane(x, j)
    return (plane * y.extent + axis_row(y, i)) * x.extent + axis_row(x, j)
