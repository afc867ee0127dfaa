"""Networks for frameworks whose images are [N, H, W, C] on a CPU: weights and batches, gradients back again."""

import numpy

from benchmarks.nets import NETS
from benchmarks.peers.graphs import GRAPHS
from benchmarks.tasks import Task

BUFFERS = ("running_mean", "running_var")


def there(net, arrays):
    """{name: array} with kernels [kh, kw, C, O], fully connected weights [inputs, outputs]."""
    flattened, image = NETS[net].flattened or (None, None)

    def turn(name, a):
        a = a.reshape(-1, *image) if name == flattened else a
        a = a.transpose(2, 3, 1, 0) if a.ndim == 4 else a.T
        return a.reshape(-1, a.shape[-1]) if name == flattened else a

    return {name: turn(name, a) for name, a in arrays.items() if not name.endswith("num_batches_tracked")}


def back(net, arrays):
    """The inverse of `there`."""
    flattened, image = NETS[net].flattened or (None, None)

    def turn(name, a):
        if name == flattened:
            channels, height, width = image
            a = a.reshape(height, width, channels, -1)
        a = a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.T
        return a.reshape(a.shape[0], -1) if name == flattened else a

    return {name: turn(name, a) for name, a in arrays.items()}


class Net(Task):
    """Its weights as there() gives them and its batches of contiguous images; a subclass says how a `constant` is made
    and builds its functions in `build()`."""

    def __init__(self, fw, arrays, layout, net):
        self.net, self.graph, self.next = net, GRAPHS[net], 0
        weights = {name: a for name, a in arrays.items() if name not in ("images", "labels")}
        self.given = {name: numpy.ascontiguousarray(a) for name, a in there(net, weights).items()}
        self.batches = [
            (self.constant(images.transpose(0, 2, 3, 1).copy()), self.constant(labels))
            for images, labels in zip(arrays["images"], arrays["labels"], strict=True)
        ]
        self.build()

    def batch(self):
        self.next = (self.next + 1) % len(self.batches)
        return self.batches[self.next]
