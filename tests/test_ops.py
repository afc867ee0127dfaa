"""Everyone equals the reference: each row on every backend, instruction set, convolution algorithm and layout."""

import pytest
from checks import assert_equals_reference, noncontiguous
from op_table import ROWS

from engine import backends
from engine.backends import convolution

REFERENCE = backends.get("reference")
CASES = [pytest.param(row, sample, id=f"{row.name}-{sample!r}") for row in ROWS for sample in row.samples]
ALGORITHMS = [None, *sorted({a.name for table in convolution.TABLES.values() for a in table})]


def tolerance_of(row, algorithm):
    if algorithm is None:
        return row.tolerance
    return max(a.relative for table in convolution.TABLES.values() for a in table if a.name == algorithm)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_float32_of_the_reference(row, sample):
    assert_equals_reference(REFERENCE, REFERENCE, row, sample, row.tolerance)


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_cpu(row, sample, isa):
    k = backends.get("cpu")
    for algorithm in ALGORITHMS if row.convolution else [None]:
        if algorithm is None:
            assert_equals_reference(k, REFERENCE, row, sample, row.tolerance)
            continue
        try:
            with convolution.forced(algorithm):
                assert_equals_reference(k, REFERENCE, row, sample, tolerance_of(row, algorithm))
        except ValueError as refusal:  # not every algorithm does everything; im2col does
            if algorithm == "im2col" or "was forced" not in str(refusal):
                raise


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
