"""What a worker can be told to prepare and time: one text for both frameworks, so that both do the same.

A task has `run()`, which is timed, `outputs()`, which is compared before, and `restart()`, called before each turn.
`fw` is what worker_engine.py or peers/pytorch.py offer: the framework's nn, F and SGD, and where their names differ,
`tensor`, `array`, `net`, `trainer`, `predictor`, `inference`, `convolution_dx`, `convolution_dw`,
`locally_connected`.
"""

from benchmarks import timing


class Task:
    """The parts that most tasks leave as they are. `calls`: how many operations one `run()` does."""

    calls = 1

    def restart(self):
        """Nothing to put back."""

    def turn(self, seconds):
        """Median seconds of one operation, measured for about `seconds`."""
        return timing.turn(self.run, seconds) / self.calls

    def outputs(self):
        """What run() returns, under one name."""
        return {"output": self.run()}


class Product(Task):
    """a[m, k] @ b[k, n], either of which may lie transposed (form "tn", "nt"); compared by its product with v[n]."""

    def __init__(self, fw, arrays, layout, form):
        self.fw, self.v = fw, arrays["v"]
        a, b = fw.tensor(arrays["a"]), fw.tensor(arrays["b"])
        self.a = a.transpose(0, 1) if form[0] == "t" else a
        self.b = b.transpose(0, 1) if form[1] == "t" else b

    def run(self):
        return self.a @ self.b

    def outputs(self):
        return {"product with a vector": self.fw.array(self.run()).astype("float64") @ self.v}


class ConvolutionForward(Task):
    """conv2d with a bias; nothing wants a gradient, so nothing is recorded."""

    def __init__(self, fw, arrays, layout, stride, padding, dilation, groups):
        self.conv2d, self.how = fw.F.conv2d, (stride, padding, dilation, groups)
        self.x, self.w = (fw.tensor(arrays[key], layout) for key in "xw")
        self.b = fw.tensor(arrays["b"])

    def run(self):
        return self.conv2d(self.x, self.w, self.b, *self.how)


class ConvolutionDx(Task):
    """The gradient of a convolution's input."""

    def __init__(self, fw, arrays, layout, **how):
        self.run = fw.convolution_dx(*(fw.tensor(arrays[key], layout) for key in "gxw"), **how)


class ConvolutionDw(Task):
    """The gradient of a convolution's weights."""

    def __init__(self, fw, arrays, layout, **how):
        self.run = fw.convolution_dw(*(fw.tensor(arrays[key], layout) for key in "gxw"), **how)


class LocallyConnected(Task):
    """A layer with a filter for every position, forward and backward; `first`: without the gradient of its input."""

    def __init__(self, fw, arrays, layout, stride, padding, first):
        self.layer = fw.locally_connected(arrays["w"], arrays["b"], arrays["x"].shape[2:], stride, padding)
        self.x, self.g = fw.tensor(arrays["x"], layout).requires_grad_(not first), fw.tensor(arrays["g"])

    def run(self):
        self.x.grad = self.layer.weight.grad = self.layer.bias.grad = None
        y = self.layer(self.x)
        y.backward(self.g)
        return y

    def outputs(self):
        found = {
            "output": self.run(),
            "gradient of weight": self.layer.weight_gradient(),
            "of bias": self.layer.bias.grad,
        }
        return found if self.x.grad is None else {**found, "gradient": self.x.grad}


class _Net(Task):
    """A network with given weights and a few batches in memory, which are taken in turn."""

    def __init__(self, fw, arrays, layout, net):
        self.fw = fw
        self.weights = {key: fw.tensor(a) for key, a in arrays.items() if key not in ("images", "labels")}
        self.model = fw.net(net, layout)
        self.batches = [
            (fw.tensor(x, layout), fw.tensor(y)) for x, y in zip(arrays["images"], arrays["labels"], strict=True)
        ]
        self.next = 0
        self.model.load_state_dict(self.weights)

    def batch(self):
        self.next = (self.next + 1) % len(self.batches)
        return self.batches[self.next]


class Training(_Net):
    """One step: zero_grad, forward, cross-entropy, backward, SGD with momentum."""

    def __init__(self, fw, arrays, layout, net):
        super().__init__(fw, arrays, layout, net)
        self.model.train()
        self.forward = fw.trainer(self.model, layout)
        self.optimizer = fw.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.cross_entropy = fw.F.cross_entropy

    def restart(self):
        """The weights as they were given: long training on random labels would end in gradients of zero."""
        self.model.load_state_dict(self.weights)

    def run(self):
        images, labels = self.batch()
        self.optimizer.zero_grad()
        loss = self.cross_entropy(self.forward(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def outputs(self):
        """The loss and gradients of the first step, and the loss of the second."""
        first = self.run()
        gradients = {f"gradient of {name}": p.grad for name, p in self.model.named_parameters()}
        gradients = {name: self.fw.array(g).copy() for name, g in gradients.items()}
        return {"first loss": first, **gradients, "second loss": self.run()}


class Inference(_Net):
    """Forward alone, in evaluation mode."""

    def __init__(self, fw, arrays, layout, net):
        super().__init__(fw, arrays, layout, net)
        self.model.eval()
        with fw.inference():
            self.forward = fw.predictor(self.model, layout, self.batches[0][0])

    def run(self):
        with self.fw.inference():
            return self.forward(self.batch()[0])


class _Add(Task):
    """Eight numbers that want a gradient plus eight that do not."""

    calls = 500

    def __init__(self, fw, arrays, layout):
        self.x, self.y, self.g = (fw.tensor(arrays[key]) for key in "xyg")
        self.x.requires_grad_()


class TapedAdd(_Add):
    """x + y, recorded."""

    def run(self):
        x, y = self.x, self.y
        for _ in range(self.calls):
            z = x + y
        return z


class TapedAddBackward(_Add):
    """x + y, recorded, and its backward into an empty gradient."""

    def run(self):
        x, y, g = self.x, self.y, self.g
        for _ in range(self.calls):
            x.grad = None
            (x + y).backward(g)
        return x.grad


class SmallStep(Task):
    """A training step of Linear(4, 4) on eight rows: all of it is the cost of operations, none that of numbers."""

    calls = 50

    def __init__(self, fw, arrays, layout):
        self.x, self.y = fw.tensor(arrays["x"]), fw.tensor(arrays["y"])
        self.model = fw.nn.Linear(4, 4)
        self.weights = {"weight": fw.tensor(arrays["w"]), "bias": fw.tensor(arrays["b"])}
        self.restart()
        self.optimizer = fw.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.mse = fw.F.mse_loss

    def restart(self):
        self.model.load_state_dict(self.weights)

    def run(self):
        for _ in range(self.calls):
            self.optimizer.zero_grad()
            loss = self.mse(self.model(self.x), self.y)
            loss.backward()
            self.optimizer.step()
        return loss


TASKS = {
    "product": Product,
    "convolution forward": ConvolutionForward,
    "convolution dx": ConvolutionDx,
    "convolution dw": ConvolutionDw,
    "locally connected": LocallyConnected,
    "training": Training,
    "inference": Inference,
    "taped add": TapedAdd,
    "taped add and backward": TapedAddBackward,
    "step of Linear(4, 4)": SmallStep,
}
