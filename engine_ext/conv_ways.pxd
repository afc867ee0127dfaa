"""A convolution of stride 1 over staged images, and the ways to compute a band of its outputs: see conv_ways.pyx."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t

from engine_ext._isa cimport Conv2d, Stage
from engine_ext.stage cimport Axis

cdef enum Way:
    PACKED      # patches are packed; tiles of outputs by pixels
    DIRECT      # patches are read from the image; tiles of outputs by pixels, vectors along image rows
    ACROSS      # patches are read from the image; tiles of pixels by outputs
    FLIPPED     # patches are packed; tiles of pixels by outputs: few pixels, many outputs
    STRIPS      # windows of one tap: pixels are packed, weights read as they are; tiles of outputs by pixels


cdef struct Phase:
    # Outputs y[uh * line + a, uw * column + b]: a convolution of stride 1.
    int64_t lines, width    # outputs
    int64_t rows            # window rows that have taps
    int64_t row_taps        # of each of them
    int64_t taps            # [rows][c / groups][columns], or natural: [c / groups][rows][columns]
    int64_t *places         # [rows] the image row of each, for output 0
    int64_t *offsets        # [taps] from a pixel to its taps, in the staged image
    int64_t *sources        # [taps] of their weights
    float *weights          # packed: [group][panel][taps][weight_width]


cdef struct Convolution:
    Conv2d q
    const float *x
    const float *w
    const float *bias
    const float *residual   # added to y before a ReLU, or NULL
    float *y
    uint8_t *taps           # of the 2x2 max pooling behind a ReLU, which y is the output of, or NULL
    bint rotated            # weights as the input gradient needs them
    bint relu
    Way way
    Axis down, along        # the two axes
    Stage stage
    bint staged
    bint natural            # taps in the order of the weights, none ever left out
    int64_t plane           # floats of a channel, staged or not
    float *stages           # staged images
    const float *images     # staged or x itself: image `first`
    const float *images_end  # nothing at or beyond it is read
    int64_t first
    int64_t rows            # outputs of a group
    int64_t weight_width, panels    # weights of how many outputs a panel holds, panels of a group
    int64_t uh, uw          # phases that have outputs
    Phase *phases           # [uh][uw]
    bint woven              # whether there is more than one,
    bint hollow             # and those without taps are zeros, which scratch is full of from the start
    int64_t lines, bands, blocks    # tasks of an image and group: bands of `lines`, blocks of row panels
    int64_t apart           # woven: floats of a phase's band
    size_t woven_bytes, band_bytes  # scratch of a task: phases before they are woven, a band before it is pooled


cdef struct Region:
    # A band of a phase: some outputs of one image.
    const Convolution *f
    const Phase *p
    const float *x          # staged image, at the first pixel of the band's first window
    const float *w          # the weights of the group, as they came,
    const float *weights    # and packed: [panel][taps][weight_width]
    const float *bias       # of the group, or NULL
    float *y                # its first output: of panel `panel0`
    int64_t plane           # from output to output there
    int64_t panel0, panel1
    int64_t line0           # first line in the phase
    int64_t lines, width    # pixels
    bint flat               # whether `width` is that of all lines together


cdef inline int64_t panel_start(const Convolution *f, int64_t panel) noexcept nogil:
    """The first output of a panel; panels are equally full."""
    return panel * f.rows // f.panels


# Bytes that compute_region needs beside.
cdef size_t region_scratch(const Convolution *f) noexcept nogil
cdef void compute_region(const Region *t, char *scratch) noexcept nogil
