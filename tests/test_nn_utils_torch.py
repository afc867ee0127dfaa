"""nn.utils beside PyTorch's: norms of every order, clipped gradients, vectors, folded batch norm, refusals."""

import inspect
import math

import numpy as np
import pytest

import engine

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
LIBRARIES = (engine, torch)
SHAPES = ((3, 4), (5,), (), (2, 1, 3, 3))


def parameters(library, dtype="float32", scale=3.0):
    rng, made = np.random.default_rng(0), []
    for i, shape in enumerate((*SHAPES, (2,))):
        p = library.zeros(shape, dtype=getattr(library, dtype), requires_grad=True)
        if i < len(SHAPES):
            p.grad = library.tensor(scale * rng.standard_normal(shape), dtype=p.dtype)
        made.append(p)
    return made


def test_arguments():
    for name in ("clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
                 "vector_to_parameters", "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval",
                 "fuse_linear_bn_weights"):  # fmt: skip
        ours, theirs = (inspect.signature(getattr(library.nn.utils, name)).parameters for library in LIBRARIES)
        assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()], name


@pytest.mark.parametrize("dtype, rtol", [("float32", 3e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("limit", [0.1, 5, 1e6])
@pytest.mark.parametrize("order", [2, 1, 3, 0.5, 0, math.inf, -math.inf, "inf"])
def test_norms(order, limit, dtype, rtol):
    found = []
    for library in LIBRARIES:
        params = parameters(library, dtype)
        norm = library.nn.utils.clip_grad_norm_(params, limit, order)
        assert str(norm.dtype).removeprefix("torch.") == dtype and params[-1].grad is None
        found.append([norm.numpy(), *(p.grad.numpy() for p in params[:-1])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol)


@pytest.mark.parametrize("limit", [0.5, 2, 100, 0])
def test_values(limit):
    found = []
    for library in LIBRARIES:
        params = parameters(library)
        library.nn.utils.clip_grad_value_(params, limit)
        found.append([p.grad.tolist() for p in params[:-1]])
    assert found[0] == found[1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite(bad):
    found = []
    for library in LIBRARIES:
        params = parameters(library)
        params[1].grad[2] = bad
        with pytest.raises(RuntimeError, match="is non-finite"):
            library.nn.utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
        norm = library.nn.utils.clip_grad_norm_(params, 1.0)
        library.nn.utils.clip_grad_value_(params, 0.5)
        found.append([norm.numpy(), *(p.grad.numpy() for p in params[:-1])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_vectors():
    vectors = []
    for library in LIBRARIES:
        params = parameters(library)
        library.nn.utils.vector_to_parameters(library.arange(40.0), params)
        vectors.append(library.nn.utils.parameters_to_vector(params).detach().numpy())
        with pytest.raises(RuntimeError):
            library.nn.utils.vector_to_parameters(library.arange(3.0), params)
        with pytest.raises(TypeError):
            library.nn.utils.vector_to_parameters(np.arange(3.0), params)
    np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("bias", [True, False])
def test_fusion(bias):
    fused = []
    for library in LIBRARIES:
        rng = np.random.default_rng(1)
        conv = library.nn.Conv2d(3, 4, 3, bias=bias).eval()
        norm = library.nn.BatchNorm2d(4).eval()
        for t in (conv.weight, conv.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var):
            if t is not None:
                t.data = library.tensor(rng.random(tuple(t.shape)) + 0.1, dtype=library.float32)
        both = library.nn.utils.fuse_conv_bn_eval(conv, norm)
        assert both.bias.requires_grad == bias and both.weight.requires_grad
        fused.append([both.weight.detach().numpy(), both.bias.detach().numpy()])
    for a, b in zip(*fused, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6)
