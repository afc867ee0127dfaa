"""PyTorch's side of `benchmarks.cifar`: the same recipe, images in memory, each batch augmented as a whole."""

import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import worker
from benchmarks.worker_torch import LAYOUTS, Torch

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


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


class Training:
    """One epoch a turn."""

    def __init__(self, fw, arrays, layout, epochs, batch, lr, weight_decay, label_smoothing, seed):
        torch.manual_seed(seed)
        self.batch, self.layout, self.smoothing = batch, LAYOUTS[layout], label_smoothing
        self.images, self.labels, self.test_images, self.test_labels = (
            torch.from_numpy(arrays[name]) for name in ("images", "labels", "test_images", "test_labels")
        )
        self.padded = F.pad(self.images, (4, 4, 4, 4))
        self.mean, self.std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
        self.model = resnet9().to(memory_format=self.layout)
        steps = epochs * (len(self.images) // batch)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr, 0.9, weight_decay=weight_decay, nesterov=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, lr, steps + 1, pct_start=0.2, anneal_strategy="linear", cycle_momentum=False, div_factor=100
        )

    def restart(self):
        """Nothing to put back."""

    def _floats(self, images):
        return ((images.float() - self.mean) / self.std).contiguous(memory_format=self.layout)

    def _augmented(self, chosen):
        """A window of each image, mirrored or not: one gather for the whole batch."""
        rows = torch.randint(0, 9, (len(chosen), 1)) + torch.arange(32)
        columns = torch.randint(0, 9, (len(chosen), 1)) + torch.arange(32)
        columns = torch.where(torch.rand(len(chosen), 1) < 0.5, columns.flip(1), columns)
        windows = self.padded[chosen[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        return self._floats(windows.permute(0, 3, 1, 2))

    def turn(self, seconds):
        start = time.perf_counter()
        self.model.train()
        order = torch.randperm(len(self.images))
        for first in range(0, len(order) - self.batch + 1, self.batch):
            chosen = order[first : first + self.batch]
            scores = self.model(self._augmented(chosen)) * 0.25
            loss = F.cross_entropy(scores, self.labels[chosen], label_smoothing=self.smoothing)
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
    worker.serve(Torch(), {"cifar10": Training})
