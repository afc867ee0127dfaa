"""A convolution by Winograd's algorithms, and the steps of one unit of its tiles: see winograd_units.pyx."""

from libc.stdint cimport int64_t, uint8_t

from engine_ext._isa cimport Conv2d
from engine_ext.geometry cimport ceil_div

cdef enum:
    LINE = 16       # floats of a cache line
    CHUNK = 64              # input channels whose weights are transformed at a time: the kernel's TERMS
    FIVE = 5                # in place of m: windows of 5x5, tiles of 2x2 outputs
    STRIDED = 8             # in place of m: windows with stride 2, tiles of 4x4 outputs, going back 8x8


cdef struct Winograd:
    # A convolution of x[n, c, h, w] to y[n, o, oh, ow]; the input gradient is one of the output's gradient.
    Conv2d q                # c and o of one group
    int64_t x_image, y_image    # floats from image to image
    int m                   # a tile has m x m outputs; or FIVE, STRIDED
    int64_t window          # taps
    int64_t side            # outputs of a tile along an axis
    int64_t apart, overlap  # inputs from tile to tile, and what the last has more
    int64_t top, left       # outputs of the first tile that lie outside of the image
    int64_t positions       # products of a tile
    int64_t points          # weights they are with
    const float *x
    const float *w
    int64_t out_step, in_step   # floats between the outputs, the inputs of w
    bint rotated            # taps backwards
    const float *bias       # or NULL
    const float *residual   # added to y, or NULL
    bint relu
    float *y
    uint8_t *taps           # or NULL: of the max pooling behind
    int64_t blocks, outs    # of LANES inputs; of 2 * LANES outputs
    int64_t rows, cols      # tiles of an image,
    int64_t whole_rows, whole_cols  # and how many before those with an output less
    int64_t unit_images, unit_rows, unit_cols   # of a unit: images, or a rectangle of one
    int64_t units, tiles    # units; tiles of the largest, even
    bint few                # tiles in all
    int64_t vectors         # of a unit with tiles in lanes, or 0
    int64_t v_step, u_step, m_step  # floats between positions
    int64_t v_size, u_size, m_size  # floats of a unit's inputs, of 2 * LANES outputs' weights, of a unit's products
    int64_t stage_size
    float *u                # [outputs / (2 * LANES)][position][c][2 * LANES]
    float *v                # few tiles: [unit][position][block][tile][LANES]


cdef inline int64_t window_side(int m) noexcept nogil:
    """Of a window, where tiles have m x m outputs."""
    return 5 if m == FIVE else 4 if m == 3 else 3


cdef inline int64_t odd_lines(int64_t floats) noexcept nogil:
    """At least so many, an odd number of cache lines: planes at this distance lie in different sets of the cache."""
    return (ceil_div(floats, LINE) | 1) * LINE


cdef void shape_tiles(Winograd *f) noexcept
cdef void plan(Winograd *f, int team) noexcept
cdef Winograd of_group(const Winograd *whole, int64_t group) noexcept nogil
cdef void transform_input(const Winograd *f, int64_t unit, int64_t block, float *stage, float *v) noexcept nogil
cdef void weight_task(const Winograd *whole, int64_t group, int64_t task) noexcept nogil
cdef void unit_tasks(const Winograd *whole, int64_t first, int64_t last, float *u, float *scratch) noexcept nogil
cdef void outputs_tasks(const Winograd *whole, int64_t ranges, int64_t first, int64_t last, float *v,
                        float *scratch) noexcept nogil
