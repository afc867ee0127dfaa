"""Image data sets, under torchvision's names where it has them."""

from engine.vision.datasets.cifar import CIFAR10, CIFAR100
from engine.vision.datasets.digits import Digits
from engine.vision.datasets.download import DownloadError
from engine.vision.datasets.fake import FakeData
from engine.vision.datasets.folder import DatasetFolder, ImageFolder, read_image
from engine.vision.datasets.idx import read_idx
from engine.vision.datasets.images import ImageDataset
from engine.vision.datasets.locate import FilesNotFoundError
from engine.vision.datasets.mnist import KMNIST, MNIST, FashionMNIST

__all__ = [
    "CIFAR10", "CIFAR100", "KMNIST", "MNIST", "DatasetFolder", "Digits", "DownloadError", "FakeData", "FashionMNIST",
    "FilesNotFoundError", "ImageDataset", "ImageFolder", "read_idx", "read_image",
]  # fmt: skip
