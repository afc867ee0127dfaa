"""Ready-made networks by name: `MODELS[name](num_classes=10, image_size=28)`."""

from engine.vision.models.lenet import LeNet5, MNISTNet, lenet5, mnistnet

MODELS = {"lenet5": lenet5, "mnistnet": mnistnet}

__all__ = ["MODELS", "LeNet5", "MNISTNet", "lenet5", "mnistnet"]
