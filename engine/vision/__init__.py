"""The parts of torchvision that training a CNN uses: data sets, transforms and models."""

from engine.vision import datasets, models, transforms, utils

__all__ = ["datasets", "models", "transforms", "utils"]
