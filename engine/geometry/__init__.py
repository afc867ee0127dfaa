"""Geometry of windows: output sizes of convolution, pooling, padding and resizing, and every error that sizes can show.

Plain integers in, frozen dataclasses or tuples out; nothing here knows an array. Geometries of convolution and pooling
are cached, because a training loop asks for the same few in every step.
"""

from engine.geometry.arguments import MAX_ELEMENTS, ShapeError, integer, pair, several
from engine.geometry.convolution import Conv2dGeometry, padding_argument, padding_sides, transposed_output_padding
from engine.geometry.padding import pad_widths
from engine.geometry.pooling import Pool2dGeometry, adaptive_sizes, even_windows, unpooled_sizes
from engine.geometry.resize import resized

__all__ = [
    "MAX_ELEMENTS", "Conv2dGeometry", "Pool2dGeometry", "ShapeError", "adaptive_sizes", "even_windows", "integer", "pad_widths",
    "padding_argument", "padding_sides", "pair", "resized", "several", "transposed_output_padding", "unpooled_sizes",
]  # fmt: skip
