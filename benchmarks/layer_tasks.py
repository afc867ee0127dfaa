"""Tasks of layers that are bound by memory: forward and backward, as one trains them. Written for both frameworks.

`passes`: how many arrays of the input's size the least possible work reads and writes.
"""

from benchmarks.tasks import Task


class _Layer(Task):
    """y = layer(x), and its backward from a given gradient."""

    def __init__(self, fw, arrays, layout):
        self.fw = fw
        self.x = fw.tensor(arrays["x"], layout).requires_grad_()
        self.layer = self.build(fw.nn)
        self.g = fw.tensor(arrays["g"], layout)

    def run(self):
        self.x.grad = None
        y = self.layer(self.x)
        y.backward(self.g)
        return y

    def outputs(self):
        return {"output": self.run(), "gradient": self.x.grad}


class ReLU(_Layer):
    passes = 5

    def build(self, nn):
        return nn.ReLU()


class BatchNorm(_Layer):
    """In training mode; its own gradients are compared as well."""

    passes = 8  # x twice and y; x and g twice and dx

    def build(self, nn):
        self.parameters = nn.BatchNorm2d(self.x.shape[1])
        return self.parameters

    def run(self):
        self.parameters.weight.grad = self.parameters.bias.grad = None
        return super().run()

    def outputs(self):
        return {**super().outputs(), "gradient of weight": self.parameters.weight.grad}


class MaxPool(_Layer):
    passes = 2.5  # x, a quarter for y; a quarter for g, dx

    def build(self, nn):
        return nn.MaxPool2d(2)


class AvgPool(_Layer):
    passes = 2.5

    def build(self, nn):
        return nn.AvgPool2d(2)


class GlobalPool(_Layer):
    passes = 2

    def build(self, nn):
        return nn.AdaptiveAvgPool2d(1)


class Dropout(_Layer):
    """Two frameworks cannot draw the same zeros: compared is that what is kept was doubled, and is about half of all."""

    passes = 4  # without the mask

    def build(self, nn):
        return nn.Dropout(0.5)

    def outputs(self):
        y, x = self.fw.array(self.run()), self.fw.array(self.x)
        wrong = abs(y - 2 * x)[y != 0].max() + abs(self.fw.array(self.x.grad) - 2 * self.fw.array(self.g))[y != 0].max()
        deviations = abs((y != 0).mean() - 0.5) * 2 * y.size**0.5  # from one half, in standard deviations
        return {"kept values": wrong, "as many as are lost": float(deviations < 5)}


class CrossEntropy(Task):
    """Of logits [N, classes], and its backward."""

    passes = 4

    def __init__(self, fw, arrays, layout):
        self.x, self.labels = fw.tensor(arrays["x"]).requires_grad_(), fw.tensor(arrays["labels"])
        self.cross_entropy = fw.F.cross_entropy

    def run(self):
        self.x.grad = None
        loss = self.cross_entropy(self.x, self.labels)
        loss.backward()
        return loss

    def outputs(self):
        return {"loss": self.run(), "gradient": self.x.grad}


class _Optimizer(Task):
    """A step over parameters of the given arrays' shapes, whose gradients stay as they are."""

    def __init__(self, fw, arrays, layout):
        self.parameters = [fw.nn.Parameter(fw.tensor(a)) for a in arrays.values()]
        for p in self.parameters:
            p.grad = p.detach() * 0.1
        self.optimizer = self.build(fw)
        self.run = self.optimizer.step

    def outputs(self):
        self.run()
        self.run()
        return {str(i): p for i, p in enumerate(self.parameters)}


class SGD(_Optimizer):
    passes = 5

    def build(self, fw):
        return fw.SGD(self.parameters, lr=1e-4, momentum=0.9)


class Adam(_Optimizer):
    passes = 7

    def build(self, fw):
        return fw.Adam(self.parameters, lr=1e-5)


LAYERS = {
    "relu": ReLU, "batch norm": BatchNorm, "max pooling": MaxPool, "average pooling": AvgPool, "global pooling": GlobalPool,
    "dropout": Dropout, "cross-entropy": CrossEntropy, "SGD with momentum": SGD, "Adam": Adam,
}  # fmt: skip
