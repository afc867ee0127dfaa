"""Everyone equals the reference: each row on every backend, instruction set, convolution algorithm and layout."""

import pytest
from checks import assert_equals_reference, noncontiguous
from op_table import ROWS

from engine import backends
from engine.backends import convolution

REFERENCE = backends.get("reference")
CASES = [pytest.param(row, sample, id=f"{row.name}-{sample!r}") for row in ROWS for sample in row.samples]
ALGORITHMS = [None, *sorted({a.name for table in convolution.TABLES.values() for a in table})]


def tolerance_of(algorithm):
    return max(a.relative for table in convolution.TABLES.values() for a in table if a.name in (algorithm, "im2col"))


@pytest.fixture
def prefer(monkeypatch):
    """prefer(name): convolutions take this algorithm, in the directions that have it and where it applies."""
    choose, preferred = convolution.choose, []

    def preferring(direction, geom):
        named = [a for a in convolution.TABLES[direction] if a.name == preferred[-1] and a.applies(geom)]
        return named[0] if named else choose(direction, geom)

    monkeypatch.setattr(convolution, "choose", preferring)
    return preferred.append


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_float32_of_the_reference(row, sample):
    assert_equals_reference(REFERENCE, REFERENCE, row, sample, row.tolerance)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_cpu(row, sample, isa, prefer):
    for algorithm in ALGORITHMS if row.convolution else [None]:
        prefer(algorithm)
        tolerance = row.tolerance if algorithm is None else tolerance_of(algorithm)
        assert_equals_reference(backends.get("cpu"), REFERENCE, row, sample, tolerance)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_cpu_on_noncontiguous_inputs(row, sample):
    if row.name == "view":
        sample = row.samples[0]
        with pytest.raises(RuntimeError, match="reshape"):
            assert_equals_reference(backends.get("cpu"), REFERENCE, row, sample, row.tolerance, noncontiguous)
        return
    assert_equals_reference(backends.get("cpu"), REFERENCE, row, sample, row.tolerance, noncontiguous)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_float64_goes_to_the_reference(row, sample):
    """The cpu backend computes float64 to float64's accuracy, gradients too."""
    from checks import arrays_of, assert_close, run

    got, gradients = run(backends.get("cpu"), row.name, arrays_of(row, sample, "float64"), sample.params)
    truth, true_gradients = run(REFERENCE, row.name, arrays_of(row, sample, "float64"), sample.params)
    for y, t in [*zip(got, truth, strict=True), *zip(gradients or [], true_gradients or [], strict=True)]:
        if t is not None:
            assert y.dtype == t.dtype
            assert_close(y, t, 1e-12 if t.dtype == "float64" else row.tolerance, row.name)
