"""The benchmarks still run: each once, and every section in miniature, alone and beside the peers that can be had."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

import engine
from benchmarks import bars, command, costs, epochs, learning, nets, results, shapes, timing, training, versus
from benchmarks.__main__ import main
from benchmarks.peers import find, graphs, nhwc
from benchmarks.plan import Plan
from benchmarks.sections import SECTIONS, algorithms, memory, networks, products
from benchmarks.thresholds import THRESHOLDS
from benchmarks.worker_engine import network
from engine.backends import convolution
from engine_ext import _isa, conv

PROJECT = Path(__file__).resolve().parent.parent


def test_every_benchmark_runs_once_and_is_right():
    pytest.importorskip("pytest_benchmark")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks", "--benchmark-disable", "-q", "-p", "no:cacheprovider", "-k", "not 2048"],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


# ---- timing


def test_a_turn_warms_up_and_calls_at_least_twice():
    calls = []
    assert timing.turn(lambda: calls.append(1), seconds=0) >= 0
    assert len(calls) == 3


def test_a_round_is_dropped_when_either_side_was_disturbed():
    rounds = [[1.0, 10.0]] * 5 + [[1.6, 10.0], [1.0, 15.1], [1.4, 14.0]]
    assert timing.quiet(rounds) == [[1.0, 10.0]] * 5 + [[1.4, 14.0]]
    assert timing.medians(rounds) == ([1.0, 10.0], 6)


def test_a_machine_slower_than_it_was_before_is_disturbed():
    rounds = [[2.0, 10.0]] * 3 + [[1.0, 5.0]]
    assert timing.quiet(rounds, known=[5.0]) == [[1.0, 5.0]]
    assert timing.medians(rounds, known=[1.0]) == ([2.0, 10.0], 0)
    assert timing.quiet(rounds, known=[1.0, 5.0]) == [[1.0, 5.0]]


def test_what_others_do_is_told_from_what_this_process_and_its_children_do():
    others = timing.Others()
    if others.start is None:
        pytest.skip("this system does not tell how busy it is: no /proc/stat")
    ours, busy = timing.used_by_us(), "import time\nwhile time.process_time() < 0.3: pass"
    child = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); input()"]
    with subprocess.Popen(child, stdin=subprocess.PIPE) as process:  # the grandchild ends, the child waits
        while timing.used_by_us() - ours < 0.3:
            assert process.poll() is None
        process.communicate(b"\n")
    assert 0.3 <= timing.used_by_us() - ours < 3
    assert others.cores() >= 0


# ---- shapes


def test_flops_and_sizes():
    conv = shapes.Convolution("c", 2, 3, 8, 4, 3, padding=1)
    assert (conv.out, conv.y_shape, conv.flops) == (8, (2, 4, 8, 8), 2 * 2 * 4 * 64 * 3 * 9)
    assert conv.directions == ("forward", "dx", "dw")
    strided = shapes.Convolution("c", 2, 4, 8, 6, 3, padding=1, stride=2, groups=2)
    assert (strided.out, strided.w_shape, strided.flops) == (4, (6, 2, 3, 3), 2 * 2 * 6 * 16 * 2 * 9)
    dilated = shapes.Convolution("c", 2, 4, 8, 4, 3, padding=1, dilation=2)
    assert (dilated.out, dilated.y_shape) == (6, dilated.geometry.y_shape) == (6, (2, 4, 6, 6))
    assert str(dilated) == "c 4->4 3x3 on 8x8, dilation 2, batch 2"
    assert [p.flops for p in shapes.fully_connected(2, 3, 5)] == [60] * 3


def test_a_menu_can_be_cut_down():
    menu = shapes.FULL.only(["vgg", "resnet18"], 64)
    assert menu.nets == {"vgg": (64,)} and {c.name[:3] for c in menu.convolutions} == {"vgg"}


@pytest.mark.parametrize("form", ["nn", "nt", "tn"])
def test_products_are_checked_by_a_vector(form):
    p = shapes.Product(3, 4, 5, form)
    arrays = products.product_arrays(p)
    a = arrays["a"].T if form[0] == "t" else arrays["a"]
    b = arrays["b"].T if form[1] == "t" else arrays["b"]
    numpy.testing.assert_allclose(products.product_by_vector(p, arrays), a @ b @ arrays["v"], rtol=1e-4)


# ---- algorithms of convolution


@pytest.mark.parametrize("name", dict.fromkeys(c.name for c in THRESHOLDS))
def test_shapes_stand_on_both_sides_of_their_threshold(name):
    threshold = getattr(convolution, name)
    maps = {c.geometry: (c.out, c.out) if name == "fills_tiles4" else () for c in THRESHOLDS if c.name == name}
    assert {threshold(geom, *sizes) for geom, sizes in maps.items()} == {True, False}


def test_what_was_taken_stands_beside_the_best_other():
    seconds = {"winograd4": 1e-6, "winograd2": 3e-6, "im2col": 2e-6}
    assert algorithms.compared("im2col", seconds) == ("im2col", 2.0, "winograd4", 1.0, 0.5)
    assert algorithms.compared("winograd4", seconds) == ("winograd4", 1.0, "im2col", 2.0, 2.0)


def with_another_algorithm(monkeypatch, kernel):
    """A Plan of one convolution, which takes this kernel; no other test has it, for geometries keep what they take."""
    another = convolution.Algorithm("another", kernel, convolution.always, convolution.always)
    monkeypatch.setitem(convolution.TABLES, "forward", (another, *convolution.FORWARD))
    menu = shapes.Menu((), (), {}, {}, (), algorithms=(shapes.Convolution("tiny", 1, 3, 13, 5, 3),))
    return Plan({}, menu, threads=1, rounds=3, seconds=0.001)


def test_a_bad_choice_shows(monkeypatch):
    def slow(*arguments):
        time.sleep(0.002)
        return conv.conv2d(*arguments)

    before = _isa.isa(), engine.get_num_threads()
    table = algorithms.algorithms(with_another_algorithm(monkeypatch, slow))
    assert (_isa.isa(), engine.get_num_threads()) == before
    rows = [row for row in table.records() if row["direction"] == "forward"]
    assert [row["instruction set"] for row in rows] == _isa.isas()[:2]
    assert all(row["taken"] == "another" and 0 < row["other / taken"] < 0.5 for row in rows)
    assert f"forward, {_isa.isas()[0]}: 0 of 1 choices" in table.notes[1] and "another beside" in table.notes[1]


def test_an_algorithm_that_is_wrong_is_not_timed(monkeypatch):
    plan = with_another_algorithm(monkeypatch, lambda *arguments: conv.conv2d(*arguments) * 1.0001)
    with pytest.raises(versus.Disagreement, match="another: forward of shape"):
        algorithms.algorithms(plan)


# ---- results


def test_a_table_is_markdown_that_reads_as_text():
    table = results.Table("T", ("name", "us", "x"), [("a", 1.23456, None), ("bcd", 1234.5, 7)], ["note"])
    assert table.lines() == [
        "## T", "",
        "| name |   us | x |",
        "|------|-----:|--:|",
        "| a    | 1.23 | - |",
        "| bcd  | 1234 | 7 |",
        "", "note\n",
    ]  # fmt: skip


def test_results_of_several_runs_become_one(tmp_path):
    path = tmp_path / "R.json"
    for run, rows in (("one", [("a", 1, 2.0), ("a", 2, 3.0)]), ("two", [("a", 2, 4.0), ("b", 1, 5.0)])):
        found = results.Results.read(path)
        found.add([results.Table("T", ("net", "batch", "x"), rows, keys=2)], run, {"CPU": "this", "took": run})
        found.write(path)
    found = results.Results.read(path)
    assert list(map(tuple, found.tables["T"].rows)) == [("a", 1, 2.0), ("a", 2, 4.0), ("b", 1, 5.0)]
    assert found.origins["T"] == ["one", "two", "two"]
    written = path.with_suffix(".md").read_text()
    assert (
        written.count("- CPU: this") == 1 and "Run 2: `two`\n\n- took: two" in written and "From run 1, 2." in written
    )
    found.add([results.Table("T", ("net", "batch", "x"), [("a", 1, 6.0)], keys=2)], "three", {})
    assert list(found.runs) == ["two", "three"]
    found.add([results.Table("T", ("net", "y"), [("a", 1)])], "four", {})
    assert found.tables["T"].rows == [("a", 1)] and list(found.runs) == ["four"]


def test_a_command_is_noted_without_the_folders_of_whoever_typed_it():
    assert (
        results.command_line("epochs", ["mnist", "--root", "/data"]) == "python -m benchmarks epochs mnist --root ..."
    )


def test_bars_are_held_beside_what_was_measured():
    nets_ = results.Table("Networks, 2 threads", ("network", "batch", "what", "speed / PyTorch's", "ONNX Runtime"))
    nets_.rows = [(n, 64, "training", 3.0, None) for n in bars.CONTEST] + [("resnet18", 8, "training", 1.4, None)]
    steady = results.Table(
        "Steady state, 3 training steps", ("network", "minor faults", "pool misses", "calls for memory")
    )
    steady.rows = [("lenet5", 0, 0, "0"), ("vgg", 0, 1, "0")]
    rows = {row[0]: row for row in bars.table({t.title: t for t in (nets_, steady)}).rows}
    assert rows["training, batch 64, and ResNet-18 at 8"][3:] == (1.4, "1.5 or 2", "no")
    assert rows["steady state: silent networks"][3:] == (1, "2", "no")
    nets_.rows[-1] = ("resnet18", 8, "training", 1.6, None)
    steady.rows = [("lenet5", 0, 0, "0"), ("vgg", 0, 0, None)]
    rows = {row[0]: row for row in bars.table({t.title: t for t in (nets_, steady)}).rows}
    assert rows["training, batch 64, and ResNet-18 at 8"][-1] == "yes"
    assert rows["steady state: silent networks"][-1] is None  # not all was measured
    nets_.rows.pop()
    rows = {row[0]: row for row in bars.table({nets_.title: nets_}).rows}
    assert rows["training, batch 64, and ResNet-18 at 8 (4 of 5 measured)"][-1] is None


# ---- networks


@pytest.mark.parametrize("net", nets.NETS)
def test_graphs_use_the_names_of_the_state_dict(net):
    shapes_ = {key: tuple(value.shape) for key, value in network(net).state_dict().items()}
    used = set()

    class Count(graphs.Count):
        def batch_norm(self, x, name):
            assert shapes_[f"{name}.weight"] == x[1:2]
            used.add(name)
            return x

        def conv(self, x, name, stride=1, padding=0, groups=1):
            assert shapes_[f"{name}.weight"][1] * groups == x[1]
            used.add(name)
            return super().conv(x, name, stride, padding, groups)

        def linear(self, x, name):
            assert shapes_[f"{name}.weight"][1] == x[1]
            used.add(name)
            return super().linear(x, name)

    assert graphs.GRAPHS[net](Count(shapes_), (2, *nets.NETS[net].image)) == (2, nets.NETS[net].classes)
    assert used == {key.rpartition(".")[0] for key in shapes_}


def test_flops_of_a_network():
    first, second = 2 * 6 * 25 * 28 * 28, 2 * 16 * 6 * 25 * 10 * 10
    rest = 2 * (400 * 120 + 120 * 84 + 84 * 10)
    assert networks.flops("lenet5", 3) == {
        "inference": 3 * (first + second + rest),
        "training": 3 * (2 * first + 3 * (second + rest)),
    }


@pytest.mark.parametrize("net", ["lenet5", "mobile"])
def test_weights_go_there_and_back(net):
    given = {key: a for key, a in nets.weights(network(net).state_dict()).items() if not key.endswith("tracked")}
    turned = nhwc.there(net, given)
    assert any(turned[key].shape != a.shape for key, a in given.items())
    for key, a in nhwc.back(net, turned).items():
        numpy.testing.assert_array_equal(a, given[key])


# ---- the comparison


@pytest.fixture
def arena():
    """The engine alone, one short round."""
    with versus.arena({}, rounds=1, seconds=0.001) as arena:
        yield arena


def tiny(**pythons):
    return Plan(pythons, shapes.TINY, threads=2, rounds=1, seconds=0.001, compiled=False)


@pytest.mark.parametrize("section", SECTIONS)
def test_alone_the_columns_of_others_stay_empty(section):
    with tiny() as plan:
        for make in SECTIONS[section][1]:
            table = make(plan)
            assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
            assert len({tuple(row[: table.keys]) for row in table.rows}) == len(table.rows)
            assert all(value is None for row in table.records() for name, value in row.items() if "PyTorch" in name)
        assert [failure for arena in plan.arenas.values() for failure in arena.failures] == []


@pytest.mark.parametrize("section", [name for name in SECTIONS if name not in ("machine", "algorithms")])
def test_beside_all_that_can_be_had(section):
    pythons = find.pythons()
    if not pythons:
        pytest.skip(
            "no peer: neither ENGINE_BENCH_TORCH nor the others name an interpreter, and this one has none of them"
        )
    with tiny(**pythons) as plan:
        tables = [make(plan) for make in SECTIONS[section][1]]
        assert [failure for arena in plan.arenas.values() for failure in arena.failures] == []
    if "torch" in pythons:
        assert any(value for t in tables for row in t.records() for name, value in row.items() if "PyTorch" in name)
    if section == "nets":
        row = tables[0].records()[1]
        assert row["what"] == "inference" and all(row[find.PEERS[name].title] for name in pythons if name != "torch")


@pytest.mark.parametrize("net", nets.NETS)
def test_every_network_is_the_same_for_pytorch(net):
    python = find.python("torch")
    if not python:
        pytest.skip("no PyTorch: ENGINE_BENCH_TORCH names no interpreter that has it, and this one has it not")
    menu = shapes.Menu((), (), {}, {net: (2,)}, ())
    with Plan({"torch": python}, menu, rounds=1, seconds=0.001, compiled=False) as plan:
        networks.networks(plan)
        assert plan.arena("all").failures == []


def test_a_wrong_result_is_not_timed(arena):
    wrong, given = {"product with a vector": numpy.zeros(3)}, products.product_arrays(shapes.Product(3, 4, 5))
    assert arena.contest("product", given, expected=wrong, form="nn").seconds == {}
    assert "product, engine: product with a vector of shape" in arena.failures[0]


def test_a_failing_worker_says_why(arena):
    assert arena.contest("no such task", {}).seconds == {}
    assert "KeyError: 'no such task'" in arena.failures[0]


def test_calls_for_memory_are_counted_between_the_marks():
    trace = """1 mmap(NULL, 8192) = 0
        1 access("/steps begin", F_OK) = -1
        1 mmap(NULL, 8192) = 0
        1 access("/steps end", F_OK) = -1
        1 access("/steps begin", F_OK) = -1
        2 brk(NULL) = 0
        1 munmap(0, 1) = 0
        1 munmap(0, 2) = 0
        1 access("/steps end", F_OK) = -1
        1 madvise(0, 2) = 0""".splitlines()
    assert memory.calls_between_marks(trace) == "2 munmap, 1 brk"
    assert memory.calls_between_marks(trace[:4]) == "1 mmap"
    assert memory.calls_between_marks(trace[:3]) == "no marks in the trace"


# ---- costs and the command


def test_costs_name_every_kernel_and_add_up():
    table = costs.training_step("lenet5", 2, 1, 0.01)
    assert any(row["kernel"].startswith("conv2d_dw 2x16x10x10, 2x6x14x14") for row in table.records())
    assert sum(row["%"] for row in table.records()) == pytest.approx(100)


def test_the_command_prints_and_writes(capsys, tmp_path):
    output = tmp_path / "out.json"
    arguments = (
        "--only overhead,convolutions --rounds 1 --seconds 0.001 --without torch,onnxruntime,tensorflow,jax".split()
    )
    main(["versus", *arguments, "--net", "lenet5", "--batch", "1", "--output", str(output)])
    printed = capsys.readouterr().out
    assert "taped add" in printed and "lenet5.2 6->16 5x5" in printed and "- PyTorch: left out by --without" in printed
    assert "python -m benchmarks versus --only overhead" in output.with_suffix(".md").read_text()
    assert command.picture.draw(results.Results.read(output).tables, tmp_path / "a.png") is False  # nobody beside us


def test_a_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    columns = ("network", "batch", "what", "speed / PyTorch's", "JAX")
    table = results.Table(
        "Networks, 2 threads", columns, [("lenet5", 64, "training", 2.0, 3.0), ("vgg", 1, "x", 0.5, None)], keys=3
    )
    assert command.picture.draw({table.title: table}, tmp_path / "R.png")
    assert (tmp_path / "R.png").stat().st_size > 1000


# ---- whole trainings


class Little:
    """A data set of a few random images, as the readers of real ones offer them."""

    mean, std = (0.5,), (0.5,)

    def __init__(self, root, train=True):
        draw = numpy.random.default_rng(train)
        self.pictures, self.targets = draw.integers(0, 256, (64, 28, 28), "uint8"), draw.integers(0, 10, 64)

    def images(self):
        return engine.from_numpy(self.pictures)


def test_epochs_beside_pytorch(tmp_path, monkeypatch, capsys):
    from dataclasses import replace

    monkeypatch.setitem(epochs.RECIPES, "mnist", replace(epochs.RECIPES["mnist"], data=Little))
    output = tmp_path / "out.json"
    assert main(["epochs", "mnist", "--root", "x", "--epochs", "1", "--output", str(output)]) == 0
    assert "epoch 1: engine" in capsys.readouterr().out
    assert "python -m benchmarks epochs mnist --root ..." in output.with_suffix(".md").read_text()


def test_training_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    recipe = training.Recipe("lenet5", Little, "", 2, 16, 0.05, 5e-4, True)
    monkeypatch.setattr(training, "RECIPES", {"little": recipe})
    arguments = [
        "training",
        "--data",
        "x",
        "--seeds",
        "1",
        "--runs",
        str(tmp_path),
        "--output",
        str(tmp_path / "out" / "R.json"),
    ]
    (tmp_path / "out").mkdir()
    sides = ["engine"] + ["torch"] * bool(find.python("torch"))
    assert main(arguments) == 0
    assert capsys.readouterr().out.count("epoch 2: loss") == len(sides)
    assert main(arguments) == 0
    assert "epoch" not in capsys.readouterr().out.partition("## ")[0]
    rows = results.Results.read(tmp_path / "out" / "R.json").tables["Training quality, test accuracy in %"].rows
    assert len(rows) == len(sides) - 1


def test_both_sides_of_a_training_get_the_same():
    weights = training.initial("resnet20", 1)
    assert (
        (weights["bn1.weight"] == 1).all()
        and (weights["linear.bias"] == 0).all()
        and weights["conv1.weight"].std() > 0.1
    )
    assert (training.initial("resnet20", 2)["conv1.weight"] != weights["conv1.weight"]).any()
    assert [learning.triangle(p) for p in (0.1, 0.2, 0.6)] == pytest.approx([0.5, 1.0, 0.5])
    images = numpy.arange(1, 3 * 64 + 1, dtype="float32").reshape(3, 1, 8, 8)
    for seed in range(5):
        for before, after in zip(images, learning.augmented(images, numpy.random.default_rng(seed)), strict=True):
            assert after.shape == before.shape and set(after.ravel()) <= {0.0, *before.ravel()} and (after != 0).any()
