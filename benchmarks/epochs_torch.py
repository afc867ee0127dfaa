"""PyTorch's side of `benchmarks epochs`: the same recipes, images in memory, each batch made and augmented as a whole."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import nets, worker
from benchmarks.peers.pytorch import LAYOUTS, Torch


def layer(inputs, outputs, pool=False):
    pooling = [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *pooling, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def resnet9(w=16):
    net = nn.Sequential(
        layer(3, w), layer(w, 2 * w, True), Residual(layer(2 * w, 2 * w), layer(2 * w, 2 * w)), layer(2 * w, 4 * w, True),
        layer(4 * w, 8 * w, True), Residual(layer(8 * w, 8 * w), layer(8 * w, 8 * w)),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8 * w, 10, bias=False),
    )  # fmt: skip
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


@dataclass(frozen=True)
class Recipe:
    """engine/cli/recipes.py's, for PyTorch. schedule: (optimizer, steps) -> scheduler; scale: of the logits."""

    model: Callable
    batch: int
    optimizer: Callable
    schedule: Callable
    mean: tuple
    std: tuple
    scale: float = 1.0
    smoothing: float = 0.0
    augment: bool = False


RECIPES = {
    "mnist": Recipe(
        lambda: nets.lenet5(nn), 64, lambda ps: torch.optim.Adam(ps, 0.002),
        lambda o, steps: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps), (0.1307,), (0.3081,),
    ),
    "cifar10": Recipe(
        resnet9, 128, lambda ps: torch.optim.SGD(ps, 0.4, 0.9, weight_decay=5e-4, nesterov=True),
        lambda o, steps: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.4, steps + 1, pct_start=0.2, anneal_strategy="linear", cycle_momentum=False, div_factor=100
        ),
        (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), 0.25, 0.1, True,
    ),
}  # fmt: skip


class Epochs:
    """One epoch a turn."""

    def __init__(self, fw, arrays, layout, data, epochs, seed):
        torch.manual_seed(seed)
        self.recipe, self.layout = RECIPES[data], LAYOUTS[layout]
        self.images, self.labels, self.test_images, self.test_labels = (
            torch.from_numpy(arrays[name]) for name in ("images", "labels", "test_images", "test_labels")
        )
        if self.images.ndim == 3:
            self.images, self.test_images = self.images[:, None], self.test_images[:, None]
        self.padded = F.pad(self.images, (4, 4, 4, 4)) if self.recipe.augment else None
        self.mean, self.std = (torch.tensor(v).view(1, -1, 1, 1) * 255 for v in (self.recipe.mean, self.recipe.std))
        self.model = self.recipe.model().to(memory_format=self.layout)
        self.optimizer = self.recipe.optimizer(self.model.parameters())
        self.schedule = self.recipe.schedule(self.optimizer, epochs * (len(self.images) // self.recipe.batch))

    def restart(self):
        """Nothing to put back."""

    def _floats(self, images):
        return ((images.float() - self.mean) / self.std).contiguous(memory_format=self.layout)

    def _batch(self, chosen):
        """Images of these indices; where the recipe says so a window of each, mirrored or not: one gather for all."""
        if not self.recipe.augment:
            return self._floats(self.images[chosen])
        size = self.images.shape[-1]
        rows = torch.randint(0, 9, (len(chosen), 1)) + torch.arange(size)
        columns = torch.randint(0, 9, (len(chosen), 1)) + torch.arange(size)
        columns = torch.where(torch.rand(len(chosen), 1) < 0.5, columns.flip(1), columns)
        windows = self.padded[chosen[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        return self._floats(windows.permute(0, 3, 1, 2))

    def turn(self, seconds):
        start = time.perf_counter()
        self.model.train()
        order = torch.randperm(len(self.images))
        for first in range(0, len(order) - self.recipe.batch + 1, self.recipe.batch):
            chosen = order[first : first + self.recipe.batch]
            scores = self.model(self._batch(chosen)) * self.recipe.scale
            loss = F.cross_entropy(scores, self.labels[chosen], label_smoothing=self.recipe.smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
        return time.perf_counter() - start

    def outputs(self):
        self.model.eval()
        right = 0
        with torch.inference_mode():
            for first in range(0, len(self.test_images), 1000):
                scores = self.model(self._floats(self.test_images[first : first + 1000]))
                right += (scores.argmax(1) == self.test_labels[first : first + 1000]).sum().item()
        return {"accuracy": numpy.float64(right / len(self.test_images))}


if __name__ == "__main__":
    worker.serve(Torch(), {"epochs": Epochs})
