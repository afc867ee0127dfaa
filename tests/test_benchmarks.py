"""The benchmarks still run: each once, and the comparison with PyTorch in miniature where PyTorch can be had."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from benchmarks import __main__, costs, machine, nets, results, sections, shapes, timing, versus
from benchmarks.versus import Disagreement
from engine_ext import _isa

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
    assert timing.quiet(rounds, known=5.0) == [[1.0, 5.0]]
    assert timing.medians(rounds, known=1.0) == ([2.0, 10.0], 0)


def test_what_others_do_is_told_from_what_this_process_does():
    others = timing.Others([])
    if others.start is None:
        pytest.skip("this system does not tell how busy it is: no /proc/stat")
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass
    assert others.cores() < os.cpu_count() - 0.5


# ---- shapes


def test_flops_and_sizes():
    conv = shapes.Convolution("c", 2, 3, 8, 4, 3, padding=1)
    assert (conv.out, conv.y_shape, conv.flops) == (8, (2, 4, 8, 8), 2 * 2 * 4 * 64 * 3 * 9)
    assert conv.directions == ("forward", "dx", "dw")
    assert [p.flops for p in shapes.fully_connected(2, 3, 5)] == [60] * 3


@pytest.mark.parametrize("form", ["nn", "nt", "tn"])
def test_products_are_checked_by_a_vector(form):
    p = shapes.Product(3, 4, 5, form)
    arrays = sections.product_arrays(p)
    a = arrays["a"].T if form[0] == "t" else arrays["a"]
    b = arrays["b"].T if form[1] == "t" else arrays["b"]
    numpy.testing.assert_allclose(sections.product_by_vector(p, arrays), a @ b @ arrays["v"], rtol=1e-4)


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


def test_results_name_command_and_machine(tmp_path):
    results.write(tmp_path / "R.md", "python -m benchmarks", machine.facts(), [results.Table("T", ("a",), [(1,)])])
    written = (tmp_path / "R.md").read_text()
    assert "    python -m benchmarks\n" in written and "- CPU: " in written and "## T" in written


# ---- the comparison


@pytest.fixture
def arena():
    """The engine alone, one short round."""
    with versus.arena(None, rounds=1, seconds=0.001) as arena:
        yield arena


@pytest.fixture
def arena_with_torch():
    """The engine and PyTorch, one short round."""
    python = versus.torch_python()
    if not python:
        pytest.skip("no PyTorch: ENGINE_BENCH_TORCH names no interpreter that has it, and this one has it not")
    with versus.arena(python, rounds=1, seconds=0.001) as arena:
        yield arena


def tables(arena):
    yield sections.products(arena, shapes.TINY_PRODUCTS, (1, 2), _isa.isas())
    yield sections.convolutions(arena, shapes.TINY_CONVOLUTIONS, 1)
    yield sections.networks(arena, ("lenet5",), (1, 3), 1)
    yield sections.overhead(arena)


def column(table, name):
    return [row[table.columns.index(name)] for row in table.rows]


def test_without_torch_its_columns_stay_empty(arena):
    for table, rows in zip(tables(arena), (4 * len(_isa.isas()), 5, 4, 2), strict=True):
        assert len(table.rows) == rows
        ratio = next(name for name in table.columns if name.endswith("PyTorch's"))
        assert column(table, ratio) == [None] * rows


def test_beside_torch(arena_with_torch):
    for table in tables(arena_with_torch):
        ratio = next(name for name in table.columns if name.endswith("PyTorch's"))
        assert any(r is not None and r > 0 for r in column(table, ratio)), table


def test_a_wrong_result_is_not_timed(arena):
    wrong = {"product with a vector": numpy.zeros(3)}
    with pytest.raises(Disagreement, match="product, engine: product with a vector of shape"):
        arena.contest("product", sections.product_arrays(shapes.Product(3, 4, 5)), expected=wrong, form="nn")


def test_a_failing_worker_says_why(arena):
    with pytest.raises(RuntimeError, match="KeyError: 'no such task'"):
        arena.contest("no such task", {})


def test_both_frameworks_get_the_same_nets():
    from engine import nn

    assert {k: v.shape for k, v in nets.weights("lenet5", nn).items()}["7.weight"] == (120, 400)
    images, labels = nets.batches(4, count=2)
    assert images.shape == (2, 4, 1, 28, 28) and labels.shape == (2, 4) and labels.dtype == "int64"


# ---- costs and the command


def test_costs_name_every_kernel_and_add_up():
    table = costs.training_step("lenet5", 2, 1, 0.01)
    assert any(kernel.startswith("conv2d_dw 2x16x10x10, 2x6x14x14") for kernel in column(table, "kernel"))
    assert sum(column(table, "%")) == pytest.approx(100)


def test_the_command_prints_and_writes(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(versus, "torch_python", lambda: None)
    output = tmp_path / "out.md"
    assert __main__.main(["overhead", "--quick", "--rounds", "1", "--seconds", "0.001", "--output", str(output)]) == 0
    assert "taped add" in capsys.readouterr().out
    assert "python -m benchmarks overhead --quick" in output.read_text()
    rows = machine.bandwidths((1,), 0.001, largest=1 << 20).rows
    assert [row[0] for row in rows] == list(machine.SIZES)
