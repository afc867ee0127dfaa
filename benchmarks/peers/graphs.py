"""The networks as functions of operations: for frameworks without modules, and to count.

`o` has conv(x, name, stride, padding, groups), batch_norm(x, name), relu, max_pool(x, size, stride, padding), add,
mean (of each channel), flatten, linear(x, name) and subsample(x, channels); names are those of the state dict.
"""

from benchmarks.nets import GROUPS, SEPARABLE


def lenet5(o, x):
    x = o.max_pool(o.relu(o.conv(x, "0", padding=2)))
    x = o.max_pool(o.relu(o.conv(x, "3")))
    x = o.relu(o.linear(o.flatten(x), "7"))
    return o.linear(o.relu(o.linear(x, "9")), "11")


def mnistnet(o, x):
    x = o.relu(o.conv(x, "0"))
    x = o.max_pool(o.relu(o.conv(x, "2")))
    return o.linear(o.relu(o.linear(o.flatten(x), "6")), "8")


def layer(o, x, conv, norm, **how):
    """Convolution, batch norm and ReLU."""
    return o.relu(o.batch_norm(o.conv(x, conv, **how), norm))


def vgg(o, x):
    for stage in range(3):
        for i in (7 * stage, 7 * stage + 3):
            x = layer(o, x, f"features.{i}", f"features.{i + 1}", padding=1)
        x = o.max_pool(x)
    return o.linear(o.mean(x), "classifier")


def basic_block(o, x, name, stride, shortcut):
    """Two convolutions beside a shortcut."""
    y = layer(o, x, f"{name}.conv1", f"{name}.bn1", stride=stride, padding=1)
    y = o.batch_norm(o.conv(y, f"{name}.conv2", padding=1), f"{name}.bn2")
    return o.relu(o.add(y, shortcut(x)))


def resnet20(o, x):
    x = layer(o, x, "conv1", "bn1", padding=1)
    for stage, channels in ((1, 16), (2, 32), (3, 64)):
        for block in range(3):
            first = stage > 1 and block == 0
            shortcut = (lambda x, c=channels: o.subsample(x, c)) if first else (lambda x: x)
            x = basic_block(o, x, f"layer{stage}.{block}", 2 if first else 1, shortcut)
    return o.linear(o.mean(x), "linear")


def resnet18(o, x):
    x = o.max_pool(layer(o, x, "conv1", "bn1", stride=2, padding=3), 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            name = f"layer{stage}.{block}"
            first = stage > 1 and block == 0

            def shortcut(x, down=f"{name}.downsample", first=first):
                return o.batch_norm(o.conv(x, f"{down}.0", stride=2), f"{down}.1") if first else x

            x = basic_block(o, x, name, 2 if first else 1, shortcut)
    return o.linear(o.mean(x), "fc")


def mobile(o, x):
    x, i = layer(o, x, "0", "1", padding=1), 3
    for inputs, _, stride in SEPARABLE:
        x = layer(o, x, f"{i}", f"{i + 1}", stride=stride, padding=1, groups=inputs)
        x = layer(o, x, f"{i + 3}", f"{i + 4}")
        i += 6
    return o.linear(o.mean(x), f"{i + 2}")


def resnext(o, x):
    x, i = layer(o, x, "0", "1", padding=1), 3
    for _ in range(2):
        x, i = o.max_pool(x), i + 1
        for _ in range(2):
            y = layer(o, x, f"{i}.0", f"{i}.1")
            y = layer(o, y, f"{i}.3", f"{i}.4", padding=1, groups=GROUPS)
            x, i = o.relu(o.add(x, o.batch_norm(o.conv(y, f"{i}.6"), f"{i}.7"))), i + 2
    return o.linear(o.mean(x), f"{i + 2}")


GRAPHS = {
    "lenet5": lenet5, "mnistnet": mnistnet, "vgg": vgg, "resnet20": resnet20, "resnet18": resnet18, "mobile": mobile,
    "resnext": resnext,
}  # fmt: skip


class Count:
    """Operations on shapes: sums up the flops of convolutions and fully connected layers, whatever their algorithm.

    shapes: {name of the state dict: shape}. `forward` and `training` (without the gradient of the images) are the sums.
    """

    def __init__(self, shapes):
        self.shapes, self.forward, self.training = shapes, 0, 0

    def _count(self, flops):
        self.training += flops * (3 if self.forward else 2)  # nobody asks for the gradient of the first layer's input
        self.forward += flops

    def conv(self, x, name, stride=1, padding=0, groups=1):
        outputs, inputs, height, width = self.shapes[f"{name}.weight"]
        rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(x[2:], (height, width), strict=True))
        self._count(2 * x[0] * outputs * rows * columns * inputs * height * width)
        return x[0], outputs, rows, columns

    def linear(self, x, name):
        outputs, inputs = self.shapes[f"{name}.weight"]
        self._count(2 * x[0] * outputs * inputs)
        return x[0], outputs

    def max_pool(self, x, size=2, stride=2, padding=0):
        return *x[:2], *((n + 2 * padding - size) // stride + 1 for n in x[2:])

    def subsample(self, x, channels):
        return x[0], channels, *((n + 1) // 2 for n in x[2:])

    def batch_norm(self, x, name):
        return x

    def relu(self, x):
        return x

    def add(self, x, y):
        return x

    def mean(self, x):
        return x[:2]

    def flatten(self, x):
        return x[0], x[1] * x[2] * x[3]
