"""One call made of the engine and of PyTorch: values, gradients, dtypes of results and types of errors must agree.

A call is a function of a library, `engine` or `torch`, and of tensors made there from the same arrays.
"""

import warnings

import numpy as np
import pytest

import engine

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")

RTOL = {"float32": 4e-6, "float64": 1e-12}
ATOL = {"float32": 1e-6, "float64": 1e-12}


def tensors_in(lib, arrays):
    """The arrays as tensors, leaves that require a gradient where they are floats; what is no array stays."""
    made = []
    for a in arrays:
        if isinstance(a, np.ndarray):
            t = lib.from_numpy(a.copy())
            a = t.requires_grad_(True) if a.dtype.kind == "f" else t
        made.append(a)
    return made


def run(lib, call, arrays):
    """(result, gradients): the result as an array or a plain value; a function that gives the gradients of float inputs."""
    inputs = tensors_in(lib, arrays)
    y = call(lib, *inputs)
    leaves = [t for t, a in zip(inputs, arrays, strict=True) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if not isinstance(y, (engine.Tensor, torch.Tensor)):
        return y, list

    def gradients():
        if y.requires_grad:
            weights = (
                np.random.default_rng(7).standard_normal(tuple(y.shape)).astype(str(y.dtype).removeprefix("torch."))
            )
            y.backward(lib.from_numpy(np.asarray(weights)))
        return [None if t.grad is None else t.grad.numpy() for t in leaves]

    return y.detach().numpy(), gradients


def close(got, expected, what, rtol=None, atol=None):
    assert got.dtype == expected.dtype, f"{what}: dtype {got.dtype}, PyTorch's {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, PyTorch's {expected.shape}"
    name = expected.dtype.name
    np.testing.assert_allclose(
        got, expected, rtol=RTOL.get(name, 0) if rtol is None else rtol, atol=ATOL.get(name, 0) if atol is None else atol,
        err_msg=what, equal_nan=True,
    )  # fmt: skip


def agree(call, *arrays, rtol=None, atol=None):
    """Assert that both libraries give the same result and gradients, or an error of the same type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected, true_gradients = run(torch, call, arrays)
        except Exception as error:
            expected_error = type(error)
        else:
            expected_error = None
    if expected_error:
        with pytest.raises(expected_error) as raised:
            run(engine, call, arrays)
        assert len(str(raised.value)) > 15
        return
    got, gradients = run(engine, call, arrays)
    if not isinstance(expected, np.ndarray):
        assert type(got) is type(expected) and got == expected
        return
    close(got, expected, "result", rtol, atol)
    try:
        true_gradients = true_gradients()
    except RuntimeError:  # some derivatives are missing there
        return
    for i, (d, truth) in enumerate(zip(gradients(), true_gradients, strict=True)):
        assert (d is None) == (truth is None), f"gradient {i}: {d}, PyTorch's {truth}"
        if d is not None:
            close(d, truth, f"gradient {i}", rtol, atol)
