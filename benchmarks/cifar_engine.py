"""The engine's side of `benchmarks.cifar`: what `python -m engine train cifar10` runs."""

import time

import numpy

import engine
from benchmarks import worker
from benchmarks.tasks import Task
from benchmarks.worker_engine import Engine
from engine import nn
from engine.cli import recipes
from engine.cli.fit import accuracy
from engine.utils.data import DataLoader
from engine.vision import models
from engine.vision.datasets import ImageDataset

RECIPE = recipes.RECIPES["cifar10"]


class Training(Task):
    """One epoch a turn."""

    def __init__(self, fw, arrays, layout, epochs, batch, lr, weight_decay, label_smoothing, seed):
        engine.manual_seed(seed)
        self.model = models.resnet9()
        train = ImageDataset(arrays["images"], arrays["labels"], transform=recipes.to_input(RECIPE, augment=True))
        test = ImageDataset(arrays["test_images"], arrays["test_labels"], transform=recipes.to_input(RECIPE))
        self.loader = DataLoader(train, batch, shuffle=True, drop_last=True)
        self.test_loader = DataLoader(test, 1000)
        self.optimizer = recipes.OPTIMIZERS[RECIPE.optimizer](self.model.parameters(), lr, weight_decay)
        self.schedule = recipes.SCHEDULES[RECIPE.schedule](self.optimizer, epochs * len(self.loader))
        self.criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def turn(self, seconds):
        start = time.perf_counter()
        self.model.train()
        for images, labels in self.loader:
            self.optimizer.zero_grad()
            self.criterion(self.model(images), labels).backward()
            self.optimizer.step()
            self.schedule.step()
        return time.perf_counter() - start

    def outputs(self):
        return {"accuracy": numpy.float64(accuracy(self.model, self.test_loader))}


if __name__ == "__main__":
    worker.serve(Engine(), {"cifar10": Training})
