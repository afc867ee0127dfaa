"""Transforms of whole batches with their labels, where torchvision has them; all others are here as well."""

from engine.vision.transforms.color import *
from engine.vision.transforms.compose import *
from engine.vision.transforms.conversion import *
from engine.vision.transforms.erasing import *
from engine.vision.transforms.geometry import *
from engine.vision.transforms.mix import *
from engine.vision.transforms.warp import *
