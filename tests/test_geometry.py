"""Any geometry of convolution and pooling: sizes against counting, the reference against SciPy, the kernels against it.

The reference is compared in float64; a compiled algorithm is held to its own tolerance, on every instruction set.
"""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import engine
from engine import backends
from engine.geometry import Conv2dGeometry, Pool2dGeometry, ShapeError, even_windows

scipy_signal = pytest.importorskip("scipy.signal")
REFERENCE = backends.get("reference")


def bounded(examples):
    """A bounded run: no deadline (the machine may be busy), nothing left behind."""
    return settings(max_examples=examples, deadline=None, database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])  # fmt: skip


@st.composite
def convolutions(draw):
    """Geometries of convolution, small enough to be quick, wild enough to break tiles."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    c, o = groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 17))
    stride, dilation = (draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) for _ in range(2))
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    padding = draw(
        st.one_of(st.just((0, 0, 0, 0)), st.integers(0, 6).map(lambda p: (p,) * 4), st.tuples(*[st.integers(0, 5)] * 4))
    )
    size = []
    for axis in range(2):
        least = dilation[axis] * (kernel[axis] - 1) + 1 - padding[2 * axis] - padding[2 * axis + 1]
        size.append(max(least, 1) + draw(st.integers(0, 12)))
    n = draw(st.sampled_from([1, 1, 2, 3, 5]))
    return Conv2dGeometry.of((n, c, *size), (o, c // groups, *kernel), stride, padding, dilation, groups)


@st.composite
def pools(draw, dilated=True):
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    stride = draw(st.one_of(st.none(), st.tuples(st.integers(1, 5), st.integers(1, 5))))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size, ceil = [], draw(st.booleans())
    for k, s, d, p in zip(kernel, stride or kernel, dilation, padding, strict=True):
        least = d * (k - 1) + 1 - 2 * p - (s - 1 if ceil else 0)
        size.append(max(least, 1) + draw(st.integers(0, 20)))
    extra = (
        {}
        if dilated
        else {"count_include_pad": draw(st.booleans()), "divisor": draw(st.sampled_from([None, None, 1, 5, -3]))}
    )
    n, c = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    return Pool2dGeometry.of((n, c, *size), kernel, stride, padding, dilation, ceil, **extra)


def normal(shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---- sizes, by counting


def windows(size, kernel, stride, before, after, dilation, ceil=False):
    """How many windows have their last tap inside. `ceil`: one more, when the last one leaves something behind it
    and the next starts before the padding behind; the first may reach beyond by less than a stride."""
    span, count, at = dilation * (kernel - 1), 0, -before
    while at + span < size + after:
        count += 1
        at += stride
    beyond = at + span - (size + after - 1)
    return count + (ceil and beyond < stride and at < size)


SIZES = {"size": st.integers(1, 30), "kernel": st.integers(1, 8), "stride": st.integers(1, 7), "before": st.integers(0, 6),
         "after": st.integers(0, 6), "dilation": st.integers(1, 4)}  # fmt: skip


@bounded(300)
@given(**SIZES)
def test_convolution_sizes(size, kernel, stride, before, after, dilation):
    expected = windows(size, kernel, stride, before, after, dilation)

    def of(h, w, kh, kw, sides):
        return Conv2dGeometry.of((2, 3, h, w), (4, 3, kh, kw), stride, sides, dilation)

    if not expected:
        with pytest.raises(ShapeError, match="kernel does not fit"):
            of(size, 50, kernel, 1, (before, after, 0, 0))
        with pytest.raises(ShapeError, match="along the width"):
            of(50, size, 1, kernel, (0, 0, before, after))
        return
    assert of(size, 50, kernel, 1, (before, after, 0, 0)).oh == expected
    geom = of(50, size, 1, kernel, (0, 0, before, after))
    assert geom.ow == expected and geom.y_shape == (2, 4, geom.oh, geom.ow)


@bounded(300)
@given(ceil=st.booleans(), **SIZES)
def test_pooling_sizes(size, kernel, stride, before, after, dilation, ceil):
    padding = before % (kernel // 2 + 1)
    expected = windows(size, kernel, stride, padding, padding, dilation, ceil)
    if expected:
        geom = Pool2dGeometry.of((1, 1, size, 40), (kernel, 1), stride, (padding, 0), dilation, ceil)
        assert geom.oh == expected
    else:
        with pytest.raises(ShapeError, match="kernel does not fit"):
            Pool2dGeometry.of((1, 1, size, 40), (kernel, 1), stride, (padding, 0), dilation, ceil)


@bounded(100)
@given(size=st.integers(1, 30), kernel=st.integers(1, 8), stride=st.integers(1, 7), dilation=st.integers(1, 4))
def test_same_padding(size, kernel, stride, dilation):
    geom = Conv2dGeometry.of((1, 1, size, size), (1, 1, kernel, kernel), stride, "same", dilation)
    top, bottom, left, right = geom.padding
    assert geom.oh == geom.ow == math.ceil(size / stride)
    assert 0 <= bottom - top <= 1 and (top, bottom) == (left, right), "the odd one behind"


@bounded(300)
@given(ceil=st.booleans(), **SIZES)
def test_sizes_of_pytorch(size, kernel, stride, before, after, dilation, ceil):
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
    x, padding = torch.zeros(1, 1, size, 40), (before % (kernel // 2 + 1), 0)

    def compare(ours, theirs):
        try:
            expected = theirs().shape[2]
        except RuntimeError:
            with pytest.raises(ShapeError):
                ours()
        else:
            assert ours().oh == expected

    pooling = (kernel, 1), stride, padding, dilation, ceil
    compare(lambda: Pool2dGeometry.of(x.shape, *pooling), lambda: torch.nn.functional.max_pool2d(x, *pooling))
    w, convolution = torch.zeros(1, 1, kernel, 1), (stride, (after, 0), dilation)
    compare(
        lambda: Conv2dGeometry.of(x.shape, w.shape, *convolution),
        lambda: torch.nn.functional.conv2d(x, w, None, *convolution),
    )


@bounded(200)
@given(extra=st.integers(0, 3), **SIZES)
def test_a_transposed_convolution_gives_back_the_size(size, kernel, stride, before, after, dilation, extra):
    """Whatever a convolution made of a size, its transpose with the right output padding makes that size of it."""
    sides = (before, after, 0, 0)
    try:
        forward = Conv2dGeometry.of((2, 3, size, 4), (5, 3, kernel, 1), (stride, 1), sides, (dilation, 1))
    except ShapeError:
        assume(False)
    lost = (size + before + after - dilation * (kernel - 1) - 1) % stride
    back = Conv2dGeometry.of_transposed(
        (2, 5, forward.oh, 4), (5, 3, kernel, 1), (stride, 1), sides, (lost, 0), 1, (dilation, 1)
    )
    assert back == forward
    line = Conv2dGeometry.of_transposed(
        (2, 5, forward.oh), (5, 3, kernel), stride, (before, after), lost, 1, dilation, axes=1
    )
    assert (line.w, line.ow, line.h, line.oh) == (size, forward.oh, 1, 1)
    # More output padding than a stride: as many outputs more, and still the windows of the input.
    extra %= max(stride, dilation)
    if size - lost + extra > 0:
        wide = Conv2dGeometry.of_transposed(
            (2, 5, forward.oh, 4), (5, 3, kernel, 1), (stride, 1), sides, (extra, 0), 1, (dilation, 1)
        )
        assert (wide.h, wide.oh) == (size - lost + extra, forward.oh)


@bounded(200)
@given(size=st.integers(1, 40), out=st.integers(1, 40))
def test_adaptive_windows_cover_the_image(size, out):
    starts, ends = REFERENCE._intervals(size, out)
    assert starts[0] == 0 and ends[-1] == size and (starts < ends).all() and (starts[1:] <= ends[:-1]).all()
    assert [(s, e) for s, e in zip(starts, ends, strict=True)] == [
        (math.floor(i * size / out), math.ceil((i + 1) * size / out)) for i in range(out)
    ]
    windows = even_windows((1, 1, size), (out,))
    assert (windows is None) == (size % out > 0) and (windows is None or (ends - starts == windows[0]).all())


# ---- the reference against SciPy


def upsampled(a, factor, axis):
    """Zeros between the elements along an axis."""
    shape = list(a.shape)
    shape[axis] = (shape[axis] - 1) * factor + 1
    out = np.zeros(shape, a.dtype)
    out[(slice(None),) * axis + (slice(None, None, factor),)] = a
    return out


@bounded(60)
@given(geom=convolutions())
def test_the_reference_convolves_as_scipy_correlates(geom):
    x, w = normal(geom.x_shape, 1, "float64"), normal(geom.w_shape, 2, "float64")
    top, bottom, left, right = geom.padding
    padded = np.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)])
    dilated = upsampled(upsampled(w, geom.dilation[0], 2), geom.dilation[1], 3)
    expected = np.zeros(geom.y_shape)
    in_group, out_group = geom.c // geom.groups, geom.o // geom.groups
    for n in range(geom.n):
        for o in range(geom.o):
            first = o // out_group * in_group
            full = scipy_signal.correlate(padded[n, first : first + in_group], dilated[o], "valid", "direct")[0]
            expected[n, o] = full[:: geom.stride[0], :: geom.stride[1]]
    np.testing.assert_allclose(REFERENCE.conv2d(x, w, None, geom), expected, rtol=1e-11, atol=1e-11)
    # The gradients are the adjoints: <g, conv(x, w)> is linear in each.
    g = normal(geom.y_shape, 3, "float64")
    inner = (g * expected).sum()
    np.testing.assert_allclose((REFERENCE.conv2d_dx(g, w, geom) * x).sum(), inner, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose((REFERENCE.conv2d_dw(g, x, geom) * w).sum(), inner, rtol=1e-9, atol=1e-9)


@bounded(60)
@given(geom=pools())
def test_the_reference_pools_as_windows_tell(geom):
    x = np.random.default_rng(0).integers(-3, 4, geom.x_shape).astype("float64")  # many ties
    y, taps = REFERENCE.max_pool2d(x, geom)
    (sh, sw), (dh, dw), (top, _, left, _) = geom.stride, geom.dilation, geom.padding
    for n, c, r, q in np.ndindex(geom.y_shape):
        best = None
        for i in range(geom.kh):
            for j in range(geom.kw):
                row, column = r * sh - top + i * dh, q * sw - left + j * dw
                inside = 0 <= row < geom.h and 0 <= column < geom.w
                if inside and (best is None or x[n, c, row, column] > best[0]):
                    best = x[n, c, row, column], i * geom.kw + j
        if best is None:
            assert y[n, c, r, q] == -np.inf
        else:
            assert (y[n, c, r, q], taps[n, c, r, q]) == best, "the first among equals"


# ---- the compiled kernels against the reference


@pytest.fixture(scope="module")
def native():
    """(the module of algorithms, the CPU backend, the module of instruction sets), the latter as it was afterwards."""
    convolution = pytest.importorskip("engine.backends.convolution", exc_type=ImportError)
    _isa = pytest.importorskip("engine_ext._isa", exc_type=ImportError)
    before = _isa.isa()
    yield convolution, backends.get("cpu"), _isa
    _isa.use_isa(before)


def assert_close(found, expected, relative, terms, what):
    """|error| <= relative * RMS, where sums of that many terms have at least the RMS of their size."""
    assert found is not NotImplemented, f"{what}: declined"
    assert found.dtype == "float32" and found.shape == expected.shape, what
    scale = max(math.sqrt(np.mean(expected**2)) if expected.size else 0, math.sqrt(max(terms, 1)))
    error = np.abs(found - expected).max(initial=0)
    assert error <= relative * scale, f"{what}: error {error:.3g}, allowed {relative * scale:.3g}"


LENET = Conv2dGeometry.of((3, 1, 32, 32), (6, 1, 5, 5))
MNISTNET = Conv2dGeometry.of((2, 32, 26, 26), (64, 32, 3, 3))


@bounded(120)
@example(geom=LENET)
@example(geom=MNISTNET)
@example(geom=Conv2dGeometry.of((0, 2, 5, 5), (3, 2, 3, 3)))
@example(geom=Conv2dGeometry.of((1, 1, 1, 1), (1, 1, 1, 1), 1, 5))
@example(geom=Conv2dGeometry.of((1, 3, 40, 3), (2, 3, 2, 2), (9, 1), (0, 7, 8, 0), (5, 3)))
@example(geom=Conv2dGeometry.of((2, 30, 9, 9), (30, 1, 3, 3), 2, 1, 1, 30))
@example(geom=Conv2dGeometry.of((1, 2, 1, 1), (1, 2, 1, 1), (1, 3), 2))  # no window meets the image
@given(geom=convolutions())
def test_every_convolution_algorithm_on_every_instruction_set(native, geom):
    convolution, cpu, _isa = native
    x, w, b, g = normal(geom.x_shape, 1), normal(geom.w_shape, 2), normal((geom.o,), 3), normal(geom.y_shape, 4)
    wide = [a.astype("float64") for a in (x, w, b, g)]
    kept = [a.copy() for a in (x, w, b, g)]
    taps, pixels = geom.c // geom.groups * geom.kh * geom.kw, geom.oh * geom.ow * geom.n
    expected = {
        "forward": (REFERENCE.conv2d(*wide[:3], geom), taps), "without bias": (REFERENCE.conv2d(*wide[:2], None, geom), taps),
        "dx": (REFERENCE.conv2d_dx(wide[3], wide[1], geom), geom.o // geom.groups * geom.kh * geom.kw),
        "dw": (REFERENCE.conv2d_dw(wide[3], wide[0], geom), pixels),
    }  # fmt: skip
    arguments = {"forward": (x, w, b), "without bias": (x, w, None), "dx": (g, w), "dw": (g, x)}
    for isa in _isa.isas():
        _isa.use_isa(isa)
        for direction, (y, terms) in expected.items():
            for algorithm in convolution.TABLES["forward" if direction == "without bias" else direction]:
                if algorithm.applies(geom):
                    found = algorithm.kernel(*arguments[direction], geom)
                    assert_close(found, y, algorithm.relative, terms, f"{isa} {algorithm.name} {direction}")
        # Patches and their transpose are exact, but for the order of sums.
        cols = REFERENCE.unfold(x, geom)
        np.testing.assert_array_equal(cpu.unfold(x, geom), cols)
        np.testing.assert_allclose(
            cpu.fold(cols, geom), REFERENCE.fold(cols.astype("float64"), geom), rtol=1e-5, atol=1e-5
        )
    for a, before in zip((x, w, b, g), kept, strict=True):
        np.testing.assert_array_equal(a, before, "an input was modified")


def test_forcing_an_algorithm_takes_it(native, monkeypatch, capfd):
    convolution, cpu, _ = native
    x, w = normal(LENET.x_shape), normal(LENET.w_shape)
    monkeypatch.setattr(convolution, "verbose", True)
    for algorithm in convolution.FORWARD:
        with convolution.forced(algorithm.name):
            if algorithm.applies(LENET):
                cpu.conv2d(x, w, None, LENET)
                assert f"groups 1: {algorithm.name}" in capfd.readouterr().err
            else:
                with pytest.raises(
                    ValueError, match=f"{algorithm.name}' was forced but does not apply to Conv2dGeometry"
                ):
                    cpu.conv2d(x, w, None, LENET)
    cpu.conv2d(x, w, None, LENET)
    assert "conv2d forward 3x1x32x32 -> 6x28x28 kernel 5x5" in capfd.readouterr().err
    with pytest.raises(ValueError, match="unknown convolution algorithm 'fft'; there are"):
        convolution.forced("fft")


@pytest.mark.parametrize("shape", [(1, 2, 4, 0), (1, 2, 0, 4), (2, 2, 0, 0)])
@pytest.mark.parametrize("groups", [1, 2])
def test_images_without_pixels_in_padding(native, shape, groups):
    _, cpu, _ = native
    geom = Conv2dGeometry.of(shape, (2, 2 // groups, 3, 3), 1, 2, 1, groups)
    x, w, g = normal(shape), normal(geom.w_shape), normal(geom.y_shape)
    assert not cpu.conv2d(x, w, None, geom).any()
    assert cpu.conv2d_dx(g, w, geom).shape == shape
    assert not cpu.conv2d_dw(g, x, geom).any()


def test_pooling_of_images_without_pixels(native):
    _, cpu, _ = native
    for shape, window in (((1, 1, 0, 8), (3, 2, 1, 1, True)), ((1, 1, 0, 0), (2, 1, 1)), ((1, 1, 8, 0), (2, 1, 1))):
        geom = Pool2dGeometry.of(shape, *window)
        y, taps = cpu.max_pool2d(normal(shape), geom)
        assert (y == -np.inf).all() and not taps.any()
        assert cpu.max_pool2d_dx(normal(geom.y_shape), taps, geom).shape == shape


def test_winograd_can_be_switched_off(native):
    convolution, *_ = native
    geom = Conv2dGeometry.of((2, 32, 12, 12), (32, 32, 3, 3), 1, 1)
    spread = Conv2dGeometry.of((2, 32, 24, 24), (32, 32, 3, 3), 1, 2, 2)

    def taken():
        return {convolution.choose(direction, g).name for g in (geom, spread) for direction in convolution.TABLES}

    before = engine.get_winograd()
    try:
        engine.set_winograd(True)
        assert taken() >= {"winograd4"}
        engine.set_winograd(False)
        assert taken() == {"im2col"} and not engine.get_winograd()
        with convolution.forced("winograd4"):
            assert convolution.choose("forward", geom).name == "winograd4"
    finally:
        engine.set_winograd(before)
    assert taken() >= {"winograd4"}
    with pytest.raises(TypeError, match="must be a bool, got 1"):
        engine.set_winograd(1)


@bounded(100)
@example(geom=Pool2dGeometry.of((2, 6, 28, 28), 2), poison=False)
@example(geom=Pool2dGeometry.of((1, 1, 40, 20), (20, 17)), poison=True)
@example(geom=Pool2dGeometry.of((1, 2, 50, 33), (3, 2), (2, 3), (1, 1)), poison=True)
@given(geom=pools(), poison=st.booleans())
def test_max_pooling_on_every_instruction_set(native, geom, poison):
    _, cpu, _isa = native
    x, g = np.random.default_rng(0).integers(-3, 4, geom.x_shape).astype("float32"), normal(geom.y_shape, 4)
    if poison:
        x.flat[::7], x.flat[::11], x.flat[::13] = np.nan, -np.inf, np.inf
    y, taps = REFERENCE.max_pool2d(x, geom)
    dx = REFERENCE.max_pool2d_dx(g.astype("float64"), taps, geom)
    for isa in _isa.isas():
        _isa.use_isa(isa)
        found, found_taps = cpu.max_pool2d(x, geom)
        np.testing.assert_array_equal(found, y)
        np.testing.assert_array_equal(found_taps, taps)
        np.testing.assert_allclose(cpu.max_pool2d_dx(g, taps, geom), dx, rtol=1e-5, atol=1e-5)


@bounded(100)
@example(geom=Pool2dGeometry.of((2, 6, 28, 28), 2))
@example(geom=Pool2dGeometry.of((1, 1, 6, 6), 3, 2, 1, 1, True))
@given(geom=pools(dilated=False))
def test_average_pooling_on_every_instruction_set(native, geom):
    _, cpu, _isa = native
    x, g = normal(geom.x_shape, 1), normal(geom.y_shape, 2)
    divisors = REFERENCE._divisors(geom, np.dtype("float64"))
    assume((divisors != 0).all())
    y = REFERENCE.avg_pool2d(x.astype("float64"), geom)
    dx = REFERENCE.avg_pool2d_dx(g.astype("float64"), geom)
    for isa in _isa.isas():
        _isa.use_isa(isa)
        np.testing.assert_allclose(cpu.avg_pool2d(x, geom), y, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(cpu.avg_pool2d_dx(g, geom), dx, rtol=1e-5, atol=1e-5)
