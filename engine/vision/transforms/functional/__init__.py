"""Transforms as functions, under the names of `torchvision.transforms.functional`.

An image is a PIL image or a Tensor [..., C, H, W]; what comes back is of the same kind.
"""

from engine.vision.transforms.functional.color import *
from engine.vision.transforms.functional.conversion import *
from engine.vision.transforms.functional.geometry import *
from engine.vision.transforms.functional.image import *
from engine.vision.transforms.functional.resampling import *
