"""The compiled core against NumPy in float64: products, convolutions and packing on every instruction set; memory; threads."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from engine.geometry import Conv2dGeometry
from engine_ext import _isa, conv, gemm, machine, memory, parallel

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def assert_close(got, want, terms):
    """`got` is a sum of `terms` products of float32 numbers of size 1: an error of a few roundings of its RMS."""
    assert got.dtype == np.float32 and got.shape == want.shape
    assert np.abs(got - want).max(initial=0) <= 4e-6 * (terms**0.5 + 1)


# --- matrix products

MR, NR = 14, 32  # the largest tile; sizes lie around every tile's edges
SIZES = [(1, 1, 1), (1, 7, 5), (2, NR + 1, 3), (3, 130, 33), (4, 64, 100), (5, NR - 1, 5), (6, 16, 17), (MR, NR, 17),
         (MR + 1, NR + 1, 400), (37, 2, 50), (100, 1, 900), (64, 10, 84), (31, 4099, 7), (2100, 40, 9), (40, 24, 1), (701, 751, 3),
         (7, 13, 1000), (64, 65, 2000), (5, 64, 4100), (300, 70, 270), (3, 3, 0), (6, 7, 0), (0, 3, 4), (3, 0, 4)]  # fmt: skip


@pytest.mark.parametrize("m, n, k", SIZES)
def test_matmul_in_every_form(isa, every_thread, m, n, k):
    for a_form, b_form in itertools.product("NT", "NT"):
        a = draw(m, k) if a_form == "N" else draw(k, m).T
        b = draw(k, n) if b_form == "N" else draw(n, k).T
        assert_close(gemm.matmul(a, b), a.astype(float) @ b.astype(float), k)


def test_matmul_of_few_terms_with_more_outputs_than_a_cache_holds(isa, every_thread):
    a, b = draw(2051, 3), draw(3, 2053)
    assert_close(gemm.matmul(a, b), a.astype(float) @ b.astype(float), 3)


def test_matmul_of_views_and_batches(isa):
    a, b = draw(2, 3, 20, 30), draw(2, 3, 40, 30)
    assert_close(gemm.matmul(a, b.swapaxes(2, 3)), a.astype(float) @ b.astype(float).swapaxes(2, 3), 30)
    a, b = draw(50, 60), draw(60, 50)
    assert_close(gemm.matmul(a[::2, 3:40], b[3:40, :]), a[::2, 3:40].astype(float) @ b[3:40], 37)
    assert_close(gemm.matmul(a[::-1], b[:, 7:]), a[::-1].astype(float) @ b[:, 7:], 60)


@pytest.mark.parametrize("a_shape, b_shape", [((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((7, 1, 9), (9, 40)), ((2, 1, 5, 6), (3, 6, 33)),
                                              ((40, 20, 8), (40, 8, 20)), ((3, 1, 700), (3, 700, 2)),
                                              ((2, 30, 900), (1, 900, 7)), ((1, 6, 2, 3), (3, 64))])  # fmt: skip
def test_matmul_broadcasts_leading_sizes(isa, every_thread, a_shape, b_shape):
    a, b = draw(*a_shape), draw(*b_shape)
    for x in a, a.swapaxes(-1, -2).copy().swapaxes(-1, -2), a[..., ::-1, :]:
        for y in b, b.swapaxes(-1, -2).copy().swapaxes(-1, -2):
            assert_close(gemm.matmul(x, y), x.astype(float) @ y.astype(float), a_shape[-1])
    swapped = draw(5, 4, 6).swapaxes(0, 1)  # rows that do not go on evenly
    assert_close(gemm.matmul(swapped, np.eye(6, dtype="f")), swapped.astype(float), 6)


def test_matmul_leaves_other_arrays_to_the_reference():
    for a, b in [(draw(3, 4).astype(float), draw(4, 5)), (draw(6, 8)[::2, ::2], draw(4, 5)), (draw(4), draw(4, 5)),
                 (draw(2, 3, 4), draw(3, 4, 5)), ([[1.0]], draw(1, 1)), (draw(3, 4).astype(">f4"), draw(4, 5))]:  # fmt: skip
        assert gemm.matmul(a, b) is NotImplemented
    with pytest.raises(ValueError, match="inner sizes"):
        gemm.matmul(draw(3, 4), draw(5, 3))


@pytest.mark.parametrize("rows", [1, 4, 5, 64])
def test_linear(isa, every_thread, rows):
    x, w, b = draw(rows, 100), draw(33, 100), draw(33)
    want = x.astype(float) @ w.T.astype(float)
    assert_close(gemm.linear(x, w, b), want + b, 100)
    assert_close(gemm.linear(x, w, None), want, 100)
    assert_close(gemm.linear(x.reshape(rows, 1, 100), w, b), (want + b)[:, None], 100)
    assert_close(gemm.linear(x, np.asfortranarray(w), b), want + b, 100)
    assert_close(gemm.linear_relu(x, w, b), np.maximum(want + b, 0), 100)
    with pytest.raises(ValueError, match="fit together"):
        gemm.linear(x, draw(33, 99), b)


@pytest.mark.parametrize("m, n, k", [(1, 40, 3000), (2, 2, 5), (64, 10, 84), (33, 70, 2100), (5, 7, 0)])
def test_linear_relu_is_relu_of_linear(isa, every_thread, m, n, k):
    x, w, b = draw(m, k), draw(n, k), draw(n)
    x[:1, :1] = np.nan
    for bias in b, None:
        want = gemm.linear(x, w, bias)
        assert np.array_equal(gemm.linear_relu(x, w, bias), np.where(want <= 0, 0, want), equal_nan=True)


def test_linear_without_terms_is_the_bias(isa):
    b = draw(33)
    assert np.array_equal(gemm.linear(draw(7, 0), draw(33, 0), b), np.broadcast_to(b, (7, 33)))


def test_sums(isa, every_thread):
    g = draw(300, 77)
    assert_close(gemm.column_sum(g), g.sum(0, dtype=float), 300)
    assert not gemm.column_sum(draw(0, 5)).any()
    g = draw(5000, 150)
    assert_close(gemm.column_sum(g), g.sum(0, dtype=float), 5000)
    g = draw(5, 7, 11, 13)
    assert_close(conv.channel_sum(g), g.sum((0, 2, 3), dtype=float), 5 * 11 * 13)
    y = np.maximum(g, 0)[:, ::-1].copy()
    assert_close(conv.channel_sum(g, y), np.where(y > 0, g, 0).sum((0, 2, 3), dtype=float), 5 * 11 * 13)
    assert conv.channel_sum(g, y.astype(np.float64)) is NotImplemented
    with pytest.raises(ValueError, match="expected the same"):
        conv.channel_sum(g, y[:, :1].copy())


# --- convolution


def patches(x, q):
    """x in float64 as [n, groups, c / groups, kh, kw, oh, ow]."""
    (top, bottom, left, right), (sh, sw), (dh, dw) = q.padding, q.stride, q.dilation
    x = np.pad(x.astype(float), ((0, 0), (0, 0), (top, bottom), (left, right)))
    cols = np.empty((q.n, q.c, q.kh, q.kw, q.oh, q.ow))
    for i, j in np.ndindex(q.kh, q.kw):
        cols[:, :, i, j] = x[:, :, i * dh :: sh, j * dw :: sw][:, :, : q.oh, : q.ow]
    return cols.reshape(q.n, q.groups, q.c // q.groups, q.kh, q.kw, q.oh, q.ow)


def unpatch(cols, q):
    """The adjoint of patches()."""
    (top, bottom, left, right), (sh, sw), (dh, dw) = q.padding, q.stride, q.dilation
    cols = cols.reshape(q.n, q.c, q.kh, q.kw, q.oh, q.ow)
    x = np.zeros((q.n, q.c, q.h + top + bottom, q.w + left + right))
    for i, j in np.ndindex(q.kh, q.kw):
        x[:, :, i * dh :: sh, j * dw :: sw][:, :, : q.oh, : q.ow] += cols[:, :, i, j]
    return x[:, :, top : top + q.h, left : left + q.w]


GEOMETRIES = [  # x, w, stride, padding, dilation, groups
    ((2, 1, 28, 28), (6, 1, 5, 5), 1, 2, 1, 1),
    ((3, 6, 14, 14), (16, 6, 5, 5), 1, 0, 1, 1),
    ((2, 1, 28, 28), (32, 1, 3, 3), 1, 0, 1, 1),
    ((2, 32, 10, 10), (64, 32, 3, 3), 1, 0, 1, 1),
    ((2, 3, 33, 31), (15, 3, 3, 3), 1, 1, 1, 1),
    ((2, 4, 9, 11), (6, 2, 3, 2), (2, 3), (1, 2, 0, 1), (2, 1), 2),
    ((1, 50, 7, 7), (20, 50, 3, 3), 2, 1, 1, 1),
    ((2, 17, 8, 8), (18, 17, 3, 3), (1, 2), 1, 1, 1),
    ((2, 17, 8, 40), (18, 17, 3, 3), (2, 1), 1, 1, 1),
    ((2, 8, 6, 6), (8, 1, 3, 3), 1, 1, 1, 8),
    ((2, 6, 9, 9), (40, 3, 5, 5), 1, 2, 1, 2),
    ((3, 5, 4, 4), (7, 5, 1, 1), 1, 0, 1, 1),
    ((3, 5, 9, 9), (7, 5, 1, 1), 2, 0, 1, 1),
    ((3, 40, 8, 8), (33, 40, 1, 1), 1, 0, 1, 1),
    ((1, 3, 20, 20), (4, 3, 7, 7), 2, 3, 1, 1),
    ((20, 2, 5, 5), (3, 2, 5, 5), 1, 0, 1, 1),
    ((0, 2, 5, 5), (3, 2, 3, 3), 1, 1, 1, 1),
    ((2, 2, 12, 40), (3, 2, 3, 11), 1, (1, 1, 5, 5), (1, 2), 1),
    ((1, 2, 6, 6), (2, 2, 3, 3), 1, 4, 1, 1),
    ((2, 3, 5, 5), (4, 3, 2, 2), 4, 0, 1, 1),
]


@pytest.mark.parametrize("x_shape, w_shape, stride, padding, dilation, groups", GEOMETRIES)
def test_convolution_and_its_gradients(isa, every_thread, x_shape, w_shape, stride, padding, dilation, groups):
    q = Conv2dGeometry.of(x_shape, w_shape, stride, padding, dilation, groups)
    x, w, b, g = draw(*q.x_shape), draw(*q.w_shape), draw(q.o), draw(*q.y_shape)
    cols = patches(x, q)
    wide = w.astype(float).reshape(groups, q.o // groups, q.c // groups, q.kh, q.kw)
    back = g.astype(float).reshape(q.n, groups, q.o // groups, q.oh, q.ow)
    y = np.einsum("ngcijyx,gocij->ngoyx", cols, wide, optimize=True).reshape(q.y_shape)
    dx = unpatch(np.einsum("ngoyx,gocij->ngcijyx", back, wide, optimize=True), q)
    dw = np.einsum("ngoyx,ngcijyx->gocij", back, cols, optimize=True).reshape(q.w_shape)
    terms = q.c // groups * q.kh * q.kw
    for forward in conv.conv2d, conv.conv2d_unfold:
        assert_close(forward(x, w, b, q), y + b[:, None, None], terms)
        assert_close(forward(x, w, None, q), y, terms)
    for by_input in conv.conv2d_dx, conv.conv2d_dx_fold:
        assert_close(by_input(g, w, q), dx, q.o // groups * q.kh * q.kw)
    for by_weights in conv.conv2d_dw, conv.conv2d_dw_unfold:
        assert_close(by_weights(g, x, q), dw, q.n * q.oh * q.ow)
    unfolded = conv.unfold(x, q)
    assert np.array_equal(unfolded, cols.reshape(unfolded.shape))
    assert_close(conv.fold(unfolded, q), unpatch(cols, q), (q.kh * q.kw) ** 2)  # every pixel, many times over


def test_convolution_refuses_what_does_not_fit():
    q = Conv2dGeometry.of((2, 3, 8, 8), (4, 3, 3, 3))
    x, w, g = draw(*q.x_shape), draw(*q.w_shape), draw(*q.y_shape)
    assert conv.conv2d(x.astype(float), w, None, q) is NotImplemented
    assert conv.conv2d(x[:, :, ::-1], w, None, q) is NotImplemented
    with pytest.raises(ValueError, match="x has shape"):
        conv.conv2d(x[:1], w, None, q)
    with pytest.raises(ValueError, match="w has shape"):
        conv.conv2d(x, draw(4, 3, 3, 2), None, q)
    with pytest.raises(ValueError, match="b has shape"):
        conv.conv2d(x, w, draw(3), q)
    with pytest.raises(ValueError, match="g has shape"):
        conv.conv2d_dw(g[:, :2].copy(), x, q)


class Forged:
    """A geometry that lies."""

    def __init__(self, *ints):
        self.ints = ints


@pytest.mark.parametrize(
    "change", [{0: -1}, {2: 2**62}, {5: 0}, {7: 0}, {9: -9}, {11: 2**40}, {13: 2**63}, {15: 2}, {18: 7}, {6: 100}]
)
def test_forged_geometries_raise(change):
    q = Conv2dGeometry.of((2, 3, 8, 8), (4, 3, 3, 3))
    ints = [change.get(i, v) for i, v in enumerate(q.ints)]
    with pytest.raises((ValueError, OverflowError)):
        conv.conv2d(draw(*q.x_shape), draw(*q.w_shape), None, Forged(*ints))


# --- instruction sets


def test_use_isa_names_what_there_is():
    with pytest.raises(ValueError, match="there are: .*" + _isa.isas()[0]):
        _isa.use_isa("sse17")
    assert set(_isa.isas()) <= set(_isa.compiled())


def python(code, **environment):
    """A child interpreter running `code`: (exit status, output)."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    return child.returncode, child.stdout + child.stderr


def test_the_environment_chooses_the_isa():
    last = _isa.isas()[-1]
    assert python("from engine_ext import _isa; print(_isa.isa())", ENGINE_ISA=last) == (0, last + "\n")
    status, output = python("import engine_ext._isa", ENGINE_ISA="sse17")
    assert status != 0 and "ENGINE_ISA" in output and last in output


def test_the_machine_can_be_measured(isa):
    assert machine.fma_peak(1, 0.01) > 0.1
    assert machine.bandwidth(1 << 20, 1, "copy", 0.01) > 0.1


# --- memory


def test_memory_returns_to_the_pool():
    memory.empty_cache()
    before = memory.pool_stats()
    a = memory.empty((100, 1000))
    assert isinstance(a.base, memory.Block) and a.ctypes.data % 64 == 0
    assert a.shape == (100, 1000) and a.dtype == np.float32 and a.flags.c_contiguous and a.flags.writeable
    view, address = a[3:5], a.ctypes.data
    del a
    assert memory.empty((100, 1000)).ctypes.data != address  # the view keeps the block
    del view
    calls = memory.pool_stats()["system_calls"]
    assert memory.empty((1000, 100)).ctypes.data in (address, memory.empty((100, 1000)).ctypes.data)
    assert memory.pool_stats()["system_calls"] == calls
    assert memory.pool_stats()["live"] == before["live"]
    memory.empty_cache()
    assert memory.pool_stats()["pooled"] == 0


def test_every_size_fits_its_class():
    for size in [
        *range(70),
        255,
        256,
        257,
        319,
        320,
        321,
        383,
        385,
        1023,
        1025,
        2**20 - 1,
        2**20 + 1,
        2**21 + 1,
        3 * 2**20,
    ]:
        a = memory.empty(size, np.uint8)
        a.fill(7)  # beyond the block, this would corrupt the heap
        assert a.nbytes == size and a.ctypes.data % 64 == 0


def test_memory_refuses_the_impossible():
    with pytest.raises(MemoryError):
        memory.empty((2**40, 2**40))
    with pytest.raises(MemoryError):
        memory.empty(2**60)
    with pytest.raises(ValueError, match="negative"):
        memory.empty((3, -1))
    with pytest.raises(TypeError, match="object"):
        memory.empty(3, object)
    assert memory.empty((0, 2**50)).shape == (0, 2**50)
    assert memory.empty(()).shape == ()


# --- threads


def results():
    """Bytes of one result of every kind of kernel."""
    draw = np.random.default_rng(1).standard_normal
    a, b = draw((70, 900)).astype("f"), draw((900, 130)).astype("f")
    kept = [
        gemm.matmul(a, b),
        gemm.matmul(a[:3], b),
        gemm.matmul(b.T, a.T),
        gemm.matmul(draw((20, 3000)).astype("f"), draw((3000, 40)).astype("f")),
        gemm.matmul(draw((90, 3000)).astype("f"), draw((40, 3000)).astype("f").T),
        gemm.matmul(draw((7, 20, 30)).astype("f"), draw((7, 30, 40)).astype("f")),
        gemm.matmul(draw((300, 5)).astype("f"), draw((5, 400)).astype("f")),
        gemm.matmul(draw((2, 50)).astype("f"), draw((50, 4000)).astype("f")),
        gemm.column_sum(draw((3000, 70)).astype("f")),
        gemm.linear(a[:2], draw((77, 900)).astype("f"), None),
        gemm.column_sum(a),
    ]
    for shape, weights, padding in [((19, 3, 12, 12), (20, 3, 3, 3), 1), ((3, 40, 9, 9), (6, 40, 3, 3), 0),
                                    ((2, 1, 28, 28), (6, 1, 5, 5), 2), ((5, 4, 14, 14), (16, 4, 5, 5), 0)]:  # fmt: skip
        q = Conv2dGeometry.of(shape, weights, 1, padding)
        x, w, g = (draw(s).astype("f") for s in (shape, weights, q.y_shape))
        kept += [conv.conv2d(x, w, None, q), conv.conv2d_dx(g, w, q), conv.conv2d_dw(g, x, q), conv.channel_sum(g)]
        kept += [conv.conv2d_unfold(x, w, None, q), conv.conv2d_dx_fold(g, w, q), conv.conv2d_dw_unfold(g, x, q)]
    return [r.tobytes() for r in kept]


@pytest.mark.skipif(not parallel.has_openmp, reason="this build has no OpenMP: there is one thread only")
def test_bits_do_not_depend_on_the_number_of_threads(isa, every_thread):
    parallel.set_num_threads(1)
    want = results()
    for n in 2, 3, 4, 7:
        parallel.set_num_threads(n)
        assert parallel.team_size() == n
        assert results() == want


def test_the_number_of_threads_is_checked(every_thread):
    for n in 0, -1, 100_000:
        with pytest.raises(ValueError, match="number of threads"):
            parallel.set_num_threads(n)
    threads, reason = parallel.default_num_threads()
    assert threads >= 1 and reason


@pytest.mark.parametrize("files, cores", [({"a/cpu.max": "150000 100000"}, 1.5), ({"cpu.max": "max 100000"}, None), ({}, None),
                                          ({"cpu/a/b/cpu.cfs_quota_us": "50000", "cpu/a/b/cpu.cfs_period_us": "100000"}, 0.5),
                                          ({"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3)])  # fmt: skip
def test_the_quota_of_control_groups(tmp_path, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    listing = tmp_path / "cgroup"
    listing.write_text("4:cpu:/a/b\n3:memory:/other\n0::/a/b\n")
    assert parallel._cgroup_quota(str(tmp_path), str(listing)) == cores


def test_two_python_threads_at_once(every_thread):
    parallel.set_num_threads(2)
    want, failures = results(), []

    def work():
        for _ in range(3):
            if results() != want:
                failures.append("different bits")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def _child(queue):
    parallel.set_threshold(0)
    queue.put(results() and parallel.team_size())


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_computes(every_thread):
    parallel.set_num_threads(2)
    results()  # the parent's pool exists
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == parallel.team_size()
    child.join(30)
    assert child.exitcode == 0
    results()  # and the parent goes on


SUBNORMAL = np.float32(1e-40)


def test_subnormals_are_flushed_inside_only(every_thread):
    tiny = np.full((8, 8), SUBNORMAL)
    eye = np.eye(8, dtype=np.float32)
    for n in 1, 2:
        parallel.set_num_threads(n)
        assert not gemm.matmul(tiny, eye).any()
        assert (tiny * np.float32(1) > 0).all() and SUBNORMAL / np.float32(2) > 0


def test_importing_changes_nothing():
    code = (
        "import threading, numpy as np, engine_ext.conv, engine_ext.gemm\n"
        "x = np.float32(1e-40)\n"
        "assert x * np.float32(0.5) > 0, 'subnormals'\n"
        "import os; tasks = len(os.listdir('/proc/self/task')) if os.path.exists('/proc/self/task') else 1\n"
        "assert tasks == 1, f'{tasks} threads'\n"
    )
    assert python(code, OPENBLAS_NUM_THREADS="1") == (0, "")
