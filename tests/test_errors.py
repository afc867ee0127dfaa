"""Golden tests of what a person reads after a mistake: what was got, what was expected, what to do, and in which layer."""

import numpy as np
import pytest

import engine
import engine.nn.functional as F
from engine import nn
from engine.geometry import ShapeError


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


zeros, tensor = engine.zeros, engine.tensor


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.MaxPool2d(2))
        self.classifier = nn.Linear(100, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


CONV = "in model.features.0 (Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))):\n  "
GOLDEN = {
    # a layer inside a model: the path, the layer, what was got and expected
    "wrong channels": (lambda: Net()(zeros(2, 1, 8, 8)), ShapeError, CONV +
        "conv2d got an input with 1 channels (shape (2, 1, 8, 8)), expected 3 (weights of shape (8, 3, 3, 3), groups=1)\n"
        "  Fix: Conv2d(1, 8, ...), or LazyConv2d(8, ...)"),
    "channels last": (lambda: Net()(zeros(2, 8, 8, 3)), ShapeError, CONV +
        "conv2d got an input with 8 channels (shape (2, 8, 8, 3)), expected 3 (weights of shape (8, 3, 3, 3), groups=1)\n"
        "  Fix: x.permute(0, 3, 1, 2); the last axis fits, the input looks like [N, H, W, C]"),
    "too few dimensions": (lambda: Net()(zeros(8, 8)), ShapeError, CONV +
        "conv2d expects an input of 4 dimensions [N, C, H, W] or 3 [C, H, W], got shape (8, 8)"),
    "kernel larger than input": (lambda: Net()(zeros(2, 3, 2, 8)), ShapeError, CONV +
        "kernel does not fit: kernel 3 with dilation 1 spans 3 along the height, but the input has 2 there (2 with padding)\n"
        "  Fix: a smaller kernel, more padding or a larger input"),
    "bytes": (lambda: Net()(zeros(2, 3, 8, 8, dtype="uint8")), TypeError, CONV +
        "conv2d got input of dtype uint8, expected float32 or float64\n"
        "  Fix: x.float() / 255, or a transform such as ToTensor"),
    "mixed dtypes": (lambda: Net()(zeros(2, 3, 8, 8, dtype="float64")), TypeError, CONV +
        "conv2d got weight of dtype float32 but input of dtype float64: they must agree\n  Fix: convert one with .float() or .double()"),
    "an array": (lambda: Net()(np.zeros((2, 3, 8, 8), "float32")), TypeError, CONV +
        "conv2d(): argument 'input' must be a Tensor, got ndarray; use engine.from_numpy(array)"),
    "in_features": (lambda: Net()(zeros(2, 3, 10, 10)), ShapeError,
        "in model.classifier (Linear(in_features=100, out_features=10, bias=True)):\n  "
        "linear got input (2, 128), but in_features is 100 (last dimension must match)\n  Fix: Linear(128, 10), or LazyLinear(10)"),
    "one value per channel": (lambda: Net()(zeros(1, 3, 3, 3)), ShapeError,
        "in model.features.1 (BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)):\n  "
        "batch_norm: expected more than 1 value per channel when training, got input size (1, 8, 1, 1)\n"
        "  The input came from model.features.0 (Conv2d) with shape (1, 8, 1, 1)."),
    # a layer by itself
    "batch norm's channels": (lambda: nn.BatchNorm2d(3)(zeros(2, 4, 2, 2)), ShapeError,
        "in BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True):\n  "
        "got an input with 4 channels (shape (2, 4, 2, 2)), expected num_features=3"),
    "pooling stride 0": (lambda: nn.MaxPool2d(2, 0)(zeros(1, 1, 4, 4)), ShapeError,
        "in MaxPool2d(kernel_size=2, stride=0, padding=0, dilation=1, ceil_mode=False):\n  stride must be at least 1, got stride=0"),
    "pooling padding": (lambda: F.avg_pool2d(zeros(1, 1, 4, 4), 2, 2, 2), ShapeError,
        "padding must be between 0 and half the kernel, got padding=2 for kernel_size=2"),
    "pooling window": (lambda: F.max_pool2d(zeros(1, 1, 9, 4), 5), ShapeError,
        "kernel does not fit: kernel 5 with dilation 1 spans 5 along the width, but the input has 4 there (4 with padding)\n"
        "  Fix: a smaller kernel, more padding or a larger input"),
    # functions
    "stride 0": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), stride=0), ShapeError, "stride must be at least 1, got stride=0"),
    "stride 0 in a layer": (lambda: nn.Conv2d(1, 1, 2, stride=0), ValueError, "Conv2d: stride must be at least 1, got (0, 0)"),
    "stride of three": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), stride=(1, 1, 1)), ValueError,
        "stride must be an integer or two integers, got (1, 1, 1)"),
    "float stride": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), stride=1.5), TypeError,
        "stride must be an integer or two integers, got 1.5"),
    "negative padding": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), padding=-1), ShapeError,
        "padding must not be negative, got padding=-1"),
    "huge sizes": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), padding=2**61), ShapeError,
        f"sizes (1, 1, {2**62 + 3}, {2**62 + 3}, 4) have {(2**62 + 3) ** 2 * 4} elements, more than fit in memory"),
    "padding word": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), padding="full"), ValueError,
        "padding must be an integer, 2 or 4 integers, 'same' or 'valid', got 'full'"),
    "groups": (lambda: F.conv2d(zeros(1, 3, 4, 4), zeros(4, 1, 2, 2), groups=2), ShapeError,
        "groups must divide the channels: got groups=2, 3 input and 4 output channels"),
    "groups in a layer": (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "Conv2d: in_channels must be divisible by groups, got 3 and 2"),
    "bias": (lambda: F.conv2d(zeros(1, 1, 4, 4), zeros(1, 1, 2, 2), zeros(2)), ShapeError, "conv2d got a bias of shape (2,), expected (1,)"),
    "channels of a transposed convolution": (lambda: nn.ConvTranspose2d(3, 4, 3)(zeros(2, 5, 9, 9)), ShapeError,
        "in ConvTranspose2d(3, 4, kernel_size=(3, 3), stride=(1, 1)):\n  conv_transpose2d got an input with 5 channels (shape (2, 5, 9, 9)), "
        "expected 3 (weights of shape (3, 4, 3, 3), which are [C, O/groups, kh, kw])\n  Fix: ConvTranspose2d(5, 4, ...), or LazyConvTranspose2d(4, ...)"),
    "output padding": (lambda: F.conv_transpose2d(zeros(1, 2, 5, 5), zeros(2, 3, 3, 3), output_padding=1), ShapeError,
        "output_padding must not be negative and must be smaller than stride or dilation, got output_padding=1 for stride=1 and dilation=1"),
    "output size": (lambda: nn.ConvTranspose2d(2, 3, 3, 2)(zeros(1, 2, 5, 5), output_size=(20, 20)), ShapeError,
        "in ConvTranspose2d(2, 3, kernel_size=(3, 3), stride=(2, 2)):\n  ConvTranspose2d: got output_size (20, 20), "
        "but for an input of shape (1, 2, 5, 5) it ranges from [11, 11] to [12, 12]"),
    "channels last of a line": (lambda: F.conv1d(zeros(2, 9, 3), zeros(4, 3, 3)), ShapeError,
        "conv1d got an input with 9 channels (shape (2, 9, 3)), expected 3 (weights of shape (4, 3, 3), groups=1)\n"
        "  Fix: x.permute(0, 2, 1); the last axis fits, the input looks like [N, L, C]"),
    "unpooling index": (lambda: F.max_unpool2d(zeros(1, 1, 1, 1), tensor([[[[7]]]]), 2), ShapeError,
        "max_unpool: index 7 is out of range for 4 elements of size (2, 2)"),
    "reflection": (lambda: F.pad(zeros(1, 3, 4), (4, 1), "reflect"), ShapeError,
        "pad(): got padding (4, 1) for axis 2 of shape (1, 3, 4): it has 4 elements, which a reflection must be smaller than"),
    "mode of interpolation": (lambda: F.interpolate(zeros(1, 1, 2, 2), size=3, mode="bicubic"), NotImplementedError,
        "interpolate: got mode 'bicubic' for an input of shape (1, 1, 2, 2); there are 'nearest' (3-D or 4-D), 'nearest-exact' (3-D or 4-D), "
        "'area' (3-D or 4-D), 'linear' (3-D), 'bilinear' (4-D)"),
    "label": (lambda: F.cross_entropy(zeros(3, 10), tensor([1, 10, 2])), IndexError,
        "cross_entropy: label 10 at position 1 is out of range for 10 classes (expected 0 to 9)"),
    "label in a layer": (lambda: nn.CrossEntropyLoss()(zeros(3, 10), tensor([1, 3, -1])), IndexError,
        "in CrossEntropyLoss():\n  cross_entropy: label -1 at position 2 is out of range for 10 classes (expected 0 to 9)"),
    "nll label": (lambda: F.nll_loss(zeros(3, 4), tensor([4, 1, 2])), IndexError,
        "nll_loss: label 4 at position 0 is out of range for 4 classes (expected 0 to 3)"),
    "float labels": (lambda: F.cross_entropy(zeros(3, 10), zeros(3)), TypeError,
        "cross_entropy expects class indices of an integer dtype, got float32 of shape (3,): use .long()"),
    "one-hot labels": (lambda: F.cross_entropy(zeros(3, 10), zeros(3, 9)), TypeError,
        "cross_entropy expects class indices of an integer dtype, got float32 of shape (3, 9): "
        "probabilities of classes must have the shape of the scores, (3, 10)"),
    "one-hot integers": (lambda: F.cross_entropy(zeros(3, 10), zeros(3, 10, dtype="int64")), RuntimeError,
        "cross_entropy: a target of the scores' shape (3, 10) holds probabilities, expected a floating point dtype, "
        "got int64; class indices have no axis of classes"),
    "one-hot for nll": (lambda: F.nll_loss(zeros(3, 10), zeros(3, 10)), TypeError,
        "nll_loss expects class indices of an integer dtype, got float32 of shape (3, 10): use target.argmax(1)"),
    "label beside ignored ones": (lambda: F.cross_entropy(zeros(3, 10), tensor([-100, 10, 2])), IndexError,
        "cross_entropy: label 10 at position 1 is out of range for 10 classes (expected 0 to 9)"),
    "number of labels": (lambda: F.cross_entropy(zeros(3, 10), zeros(4, dtype="int64")), ShapeError,
        "cross_entropy got scores of shape (3, 10) and labels of shape (4,), expected (3,)"),
    "labels in an array": (lambda: F.cross_entropy(zeros(3, 10), np.zeros(3, int)), TypeError,
        "cross_entropy(): argument 'target' must be a Tensor, got ndarray; use engine.from_numpy(array)"),
    "matrix product": (lambda: zeros(2, 3) @ zeros(4, 5), ShapeError, "matmul: shapes (2, 3) and (4, 5) cannot be multiplied (3 != 4)"),
    "broadcasting": (lambda: zeros(2, 3) + zeros(4, 5), ShapeError, "add: shapes (2, 3) and (4, 5) cannot be broadcast together"),
    "a list": (lambda: zeros(2) + [1, 2], TypeError, "add(): argument 'other' must be a Tensor, got list; use engine.tensor(value)"),
    "a number too large": (lambda: zeros(2, dtype="uint8") + 300, RuntimeError,
        "add: 300 does not fit into uint8; convert the tensor first, e.g. with .long()"),
    "reshape": (lambda: zeros(2, 3).reshape(4, 2), ShapeError, "reshape(): shape (4, 2) is invalid for input of size 6 (shape (2, 3))"),
    "cat": (lambda: engine.cat([zeros(2, 3), zeros(2, 4)]), ShapeError,
        "cat(): sizes must match except in dimension 0: got (2, 3) and (2, 4) (tensor 1)"),
    "dimension": (lambda: zeros(2, 3).sum(2), IndexError, "sum(): Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    "maximum of nothing": (lambda: zeros(0, 3).max(0), IndexError, "max(): Expected reduction over a non-empty dimension, got shape (0, 3)"),
    "mean of integers": (lambda: tensor([1, 2]).mean(), TypeError, "mean got input of dtype int64, expected float32 or float64\n  Fix: input.float()"),
    "mse": (lambda: F.mse_loss(zeros(2, 3), zeros(3, 2)), ShapeError, "mse_loss got shapes (2, 3) and (3, 2); they must agree"),
    "reduction": (lambda: nn.MSELoss(reduction="avg"), ValueError,
        "'avg' is not a valid value for reduction: use 'mean', 'sum' or 'none'"),
    "dropout": (lambda: nn.Dropout(1.5), ValueError, "dropout probability has to be between 0 and 1, but got 1.5"),
    "backend": (lambda: engine.use_backend("gpu"), ValueError, "unknown backend 'gpu'; there are cpu, reference, cuda, shape"),
    "device": (lambda: zeros(2, device="cuda:3"), RuntimeError, "device 'cuda:3' is not available: one GPU is used, 'cuda:0'; CUDA_VISIBLE_DEVICES chooses which that is"),
    "dtype": (lambda: zeros(2, dtype="float16"), TypeError,
        "dtype float16 is not supported; use one of float32, float64, int64, int32, int16, int8, uint8, bool "
        "(half precision has no kernels here: it would be slower, not faster)"),
    "attribute": (lambda: engine.nonsense, AttributeError, "module 'engine' has no attribute 'nonsense'"),
    # the tape
    "second backward": (lambda: backward_twice(), RuntimeError,
        "mul: Trying to backward through the graph a second time: what its gradient needs was "
        "freed by the first backward. Pass retain_graph=True to the first one, or run forward again"),
    "leaf in place": (lambda: engine.ones(2, requires_grad=True).mul_(2), RuntimeError,
        "mul_: a leaf tensor that requires grad is being used in an in-place operation. "
        "Wrap it in `with engine.no_grad():`, or use the form without underscore"),
    "overwritten": (lambda: overwrite(), RuntimeError,
        "exp: a tensor needed for its gradient has been modified by an inplace operation (add_) after exp used it. "
        "Use the form without underscore, or clone() first"),
    "numpy": (lambda: engine.ones(2, requires_grad=True).numpy(), RuntimeError,
        "can't call numpy() on a Tensor that requires grad. Use tensor.detach().numpy() instead"),
    "no graph": (lambda: engine.ones(1).backward(), RuntimeError,
        "element 0 of tensors does not require grad and does not have a grad_fn: no input of this "
        "computation had requires_grad=True, or it ran under no_grad()"),
    "not a scalar": (lambda: (engine.ones(2, requires_grad=True) * 2).backward(), RuntimeError,
        "grad can be implicitly created only for scalar outputs, got shape (2,): "
        "pass backward(gradient=...) or reduce with sum() or mean() first"),
}  # fmt: skip


def backward_twice():
    x = engine.ones(2, requires_grad=True)
    h = x * x
    h.sum().backward()
    h.sum().backward()


def overwrite():
    y = engine.ones(2, requires_grad=True).exp()
    y.add_(1)
    y.sum().backward()


@pytest.mark.parametrize("name", GOLDEN)
def test_message(name):
    mistake, kind, message = GOLDEN[name]
    with pytest.raises(kind) as error:
        mistake()
    assert str(error.value) == message
    assert error.value.__cause__ is None


def test_shape_errors_are_caught_as_in_pytorch_and_as_values():
    for kind in (RuntimeError, ValueError):
        with pytest.raises(kind):
            zeros(2, 3) + zeros(4, 5)


def test_an_error_of_the_users_own_forward_is_left_alone():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.ReLU()

        def forward(self, x):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="^mine$"):
        nn.Sequential(Own())(1)


def test_the_path_grows_with_the_depth():
    net = nn.Sequential(nn.Identity(), nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(3, 1))))
    with pytest.raises(ShapeError, match=r"^in model\.1\.1\.0 \(Linear\(in_features=3"):
        net(zeros(2, 4))
    with pytest.raises(ShapeError, match=r"^in model\.1\.0 \(Linear\(in_features=3"):
        net[1](zeros(2, 4))


def test_a_failed_call_changes_nothing():
    net, x = Net(), zeros(2, 3, 10, 10)
    before = {n: t.tolist() for n, t in net.state_dict().items() if "running" not in n and "tracked" not in n}
    with pytest.raises(ShapeError):
        net(x)
    assert {n: net.state_dict()[n].tolist() for n in before} == before
    with pytest.raises(IndexError):
        F.cross_entropy(engine.ones(2, 3, requires_grad=True), tensor([0, 3]))
    assert engine.is_grad_enabled()
