"""The engine's side of `benchmarks epochs`: what `python -m engine train` runs."""

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
from engine.vision.datasets import ImageDataset


class Epochs(Task):
    """One epoch a turn."""

    def __init__(self, fw, arrays, layout, data, epochs, seed):
        engine.manual_seed(seed)
        recipe = recipes.RECIPES[data]
        self.model = recipes.build(recipe.model, recipe)
        train = ImageDataset(arrays["images"], arrays["labels"], transform=recipes.to_input(recipe, augment=True))
        test = ImageDataset(arrays["test_images"], arrays["test_labels"], transform=recipes.to_input(recipe))
        self.loader = DataLoader(train, recipe.batch_size, shuffle=True, drop_last=True)
        self.test_loader = DataLoader(test, 1000)
        self.optimizer = recipes.OPTIMIZERS[recipe.optimizer](self.model.parameters(), recipe.lr, recipe.weight_decay)
        self.schedule = recipes.SCHEDULES[recipe.schedule](self.optimizer, epochs * len(self.loader))
        self.criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

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
    worker.serve(Engine(), {"epochs": Epochs})
