"""Transforms of images, under torchvision's names: `Compose([RandomCrop(32, padding=4), ToTensor(), ...])`.

They take PIL images and Tensors [..., C, H, W]; data sets that hold their images as bytes apply them to whole batches
(`whole_batch`). `functional` has them as functions, `v2` adds MixUp and CutMix.
"""

from engine.vision.transforms import functional, v2
from engine.vision.transforms.batch import whole_batch
from engine.vision.transforms.color import *
from engine.vision.transforms.compose import *
from engine.vision.transforms.conversion import *
from engine.vision.transforms.erasing import *
from engine.vision.transforms.functional import InterpolationMode
from engine.vision.transforms.geometry import *
from engine.vision.transforms.warp import *
