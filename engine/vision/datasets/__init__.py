"""Image data sets, under torchvision's names where it has them."""

from engine.vision.datasets.digits import Digits
from engine.vision.datasets.idx import read_idx
from engine.vision.datasets.images import ImageDataset
from engine.vision.datasets.mnist import MNIST, FashionMNIST

__all__ = ["MNIST", "Digits", "FashionMNIST", "ImageDataset", "read_idx"]
