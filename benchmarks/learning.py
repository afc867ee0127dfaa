"""The task of `benchmarks training`, written once for both frameworks: an epoch a turn, all randomness from NumPy."""

import time

import numpy

from benchmarks.tasks import Task

WINDOW = 4  # pixels by which a crop can be off


class Learning(Task):
    """Training by SGD with Nesterov momentum and a triangle of learning rates."""

    def __init__(self, fw, arrays, layout, seed, net, epochs, batch, lr, weight_decay, augment):
        self.fw, self.layout, self.seed, self.size, self.lr, self.augment = fw, layout, seed, batch, lr, augment
        self.images, self.labels = arrays["images"], arrays["labels"].astype("int64")
        self.test_images, self.test_labels = arrays["test_images"], arrays["test_labels"].astype("int64")
        self.mean, self.std = (255 * arrays[key].reshape(-1, 1, 1) for key in ("mean", "std"))
        self.model = fw.net(net, layout)
        weights = {
            key.removeprefix("weights/"): fw.tensor(a) for key, a in arrays.items() if key.startswith("weights/")
        }
        self.model.load_state_dict(weights)
        self.optimizer = fw.SGD(self.model.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)
        self.epoch, self.steps = 0, epochs * (len(self.images) // batch)
        self.loss = None

    def turn(self, seconds):
        start = time.perf_counter()
        draw = numpy.random.default_rng((self.seed, self.epoch))
        self.model.train()
        order, losses = draw.permutation(len(self.images)), []
        each = len(order) // self.size
        for i, chosen in enumerate(order[: each * self.size].reshape(each, self.size)):
            for group in self.optimizer.param_groups:
                group["lr"] = self.lr * triangle((self.epoch * each + i + 1) / self.steps)
            images = self.images[chosen]
            images = augmented(images, draw) if self.augment else images
            losses.append(self._step(self._input(images), self.fw.tensor(self.labels[chosen])))
        self.epoch, self.loss = self.epoch + 1, numpy.mean(losses)
        return time.perf_counter() - start

    def _step(self, images, labels):
        self.optimizer.zero_grad()
        loss = self.fw.F.cross_entropy(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _input(self, images):
        return self.fw.tensor((images.astype("float32") - self.mean) / self.std, self.layout)

    def outputs(self):
        """The share of test images that are told rightly, and the mean loss of the last epoch."""
        self.model.eval()
        right = 0
        with self.fw.inference():
            for first in range(0, len(self.test_images), 1000):
                part = slice(first, first + 1000)
                scores = self.fw.array(self.model(self._input(self.test_images[part])))
                right += int((scores.argmax(1) == self.test_labels[part]).sum())
        return {"accuracy": right / len(self.test_images), "loss": self.loss}


def triangle(progress, peak=0.2):
    """The share of the highest learning rate: up to it in the first fifth, then down to nothing."""
    return max(0.01, progress / peak if progress < peak else (1 - progress) / (1 - peak))


def augmented(images, draw):
    """A window of each image padded by zeros, half of them mirrored."""
    n, _, height, width = images.shape
    padded = numpy.pad(images, [(0, 0), (0, 0), (WINDOW, WINDOW), (WINDOW, WINDOW)])
    rows = draw.integers(0, 2 * WINDOW + 1, (n, 1)) + numpy.arange(height)
    columns = draw.integers(0, 2 * WINDOW + 1, (n, 1)) + numpy.arange(width)
    columns = numpy.where(draw.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    cut = padded[numpy.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cut.transpose(0, 3, 1, 2)
