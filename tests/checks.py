"""How two kernels are compared, how samples become arrays, and what every kernel owes to any number of threads."""

from __future__ import annotations

import zlib

import numpy as np

from engine.ops._op import OPS
from engine_ext import parallel

EPS, TINY = np.finfo(np.float32).eps, np.finfo(np.float32).tiny


def arrays_of(row, sample, dtype):
    """The arrays of a sample, the same ones every time; floats in `dtype`, rounded to float32 first."""
    rng = np.random.default_rng(zlib.crc32(f"{row.name} {sample!r}".encode()))
    arrays = []
    for spec in sample.arrays:
        a = None if spec is None else spec.draw(rng) if hasattr(spec, "draw") else row.draw(rng, spec)
        if a is not None and a.dtype.kind == "f":
            a = a.astype("float32").astype(dtype)
        arrays.append(a)
    return arrays


def noncontiguous(a):
    """The same values over memory with gaps and another order of axes."""
    if a is None or not a.ndim:
        return a
    wide = np.zeros(tuple(2 * n for n in reversed(a.shape)), a.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in a.shape)].transpose()
    view[...] = a
    return view


def run(k, name, arrays, params, seed=0):
    """Outputs and vjps of an operation: (list of outputs, list of gradients or None)."""
    y, vjps = OPS[name](k, *arrays, **params)
    outputs = list(y) if isinstance(y, tuple) else [y]
    if vjps is None:
        return outputs, None
    rng = np.random.default_rng(seed)
    gs = [
        k.from_numpy(rng.standard_normal(o.shape).astype("float32").astype(o.dtype)) if o.dtype.kind == "f" else None
        for o in outputs
    ]
    if isinstance(y, tuple):  # only the first output of our several-output operations carries a gradient
        gs = gs[:1] + [None] * (len(gs) - 1)
    before = [None if g is None else g.copy() for g in gs]
    if isinstance(vjps, tuple):
        gradients = [None if v is None or a is None else v(gs[0]) for v, a in zip(vjps, arrays, strict=True)]
    else:
        gradients = list(vjps([*gs] if isinstance(y, tuple) else gs[0]))  # a list of its own: the arrays are seen here
        gradients = [None if a is None else d for d, a in zip(gradients, arrays, strict=True)]
    for g, b in zip(gs, before, strict=True):
        assert g is None or g.tobytes() == b.tobytes(), f"{name}: the incoming gradient was modified"
    return outputs, gradients


def assert_close(got, truth, tolerance, what):
    """|got - truth| <= tolerance * RMS(truth) plus as much of each value; integers, infinities and shapes exactly."""
    assert isinstance(got, np.ndarray), f"{what}: {type(got).__name__} instead of an array"
    assert got.shape == truth.shape, f"{what}: shape {got.shape}, expected {truth.shape}"
    if truth.dtype.kind != "f":
        np.testing.assert_array_equal(got, truth, err_msg=what)
        return
    assert got.dtype.kind == "f", f"{what}: dtype {got.dtype}"
    if not truth.size:
        return
    rms = float(np.sqrt(np.mean(np.square(truth, dtype="float64"))))
    np.testing.assert_allclose(got, truth, rtol=tolerance, atol=tolerance * rms, err_msg=what)


def random(*shape, seed=0, scale=1.0, shift=0.0):
    """float32 numbers of a normal distribution."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape) * scale + shift, dtype=np.float32)


def close(y, expected, scale=8.0):
    """Equal within `scale` roundings of the largest value."""
    expected = np.asarray(expected, dtype=np.float64)
    assert y.dtype == np.float32 and y.shape == expected.shape
    size = max(np.max(np.abs(expected), initial=0), TINY) if np.isfinite(expected).all() else 1.0
    np.testing.assert_allclose(y, expected, rtol=4 * EPS, atol=scale * EPS * size)


def assert_equals_reference(k, reference, row, sample, tolerance, transform=lambda a: a):
    """Kernels of `k` in float32 against the reference in float64: outputs and every gradient; inputs left as they were."""
    exact = arrays_of(row, sample, "float64")
    arrays = [None if a is None else transform(a) for a in arrays_of(row, sample, "float32")]
    before = [None if a is None else a.copy() for a in arrays]
    outputs, gradients = run(k, row.name, arrays, sample.params)
    true_outputs, true_gradients = run(reference, row.name, exact, sample.params)
    for a, b in zip(arrays, before, strict=True):
        assert a is None or a.tobytes() == b.tobytes(), f"{row.name}: an input was modified"
    for i, (y, truth) in enumerate(zip(outputs, true_outputs, strict=True)):
        assert_close(y, truth, tolerance, f"{row.name} {sample}: output {i}")
    assert (gradients is None) == (true_gradients is None)
    for i, (d, truth) in enumerate(zip(gradients or [], true_gradients or [], strict=True)):
        assert (d is None) == (truth is None)
        if d is not None:
            assert_close(d, truth, 4 * tolerance, f"{row.name} {sample}: gradient {i}")


# ---- the same bits on any number of threads


def flat(result):
    return [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]


def same_bits(a, b):
    return all(p.dtype == q.dtype and p.shape == q.shape and p.tobytes() == q.tobytes()
               for p, q in zip(flat(a), flat(b), strict=True))  # fmt: skip


def on_all_threads(f, *arguments):
    """f(*arguments), after checking that its bits do not depend on the threads and that it leaves its inputs alone."""
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    results = []
    for threads in (1, 2, 3, 4, 7):
        parallel.set_num_threads(threads)
        assert parallel.team_size() == threads
        results.append(f(*arguments))
    assert results[0] is not NotImplemented
    for r in results[1:]:
        assert same_bits(results[0], r)
    for a, b in zip(arguments, before, strict=True):
        assert not isinstance(a, np.ndarray) or a.tobytes() == b.tobytes()
    return results[0]
