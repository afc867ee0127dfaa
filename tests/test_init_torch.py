"""Initialisation beside PyTorch's: its names, structures to the bit, distributions of 20,000 numbers, and refusals."""

import inspect

import pytest
from scipy import stats

import engine
from engine.nn import init

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
theirs = torch.nn.init
LIBRARIES = ((engine, init), (torch, theirs))
W = (50, 16, 5, 5)


def test_names_and_arguments():
    assert [name for name in theirs.__all__ if not callable(getattr(init, name, None))] == []
    for name in (n for n in theirs.__all__ if n.endswith("_")):
        mine = list(inspect.signature(getattr(init, name)).parameters.values())
        other = list(inspect.signature(getattr(theirs, name)).parameters.values())
        assert [(p.name, p.default) for p in mine] == [(p.name, p.default) for p in other], name
    for library, i in LIBRARIES:  # scripts call this one
        assert i._calculate_fan_in_and_fan_out(library.empty(4, 3, 5, 5)) == (75, 100)


DRAWN = {
    "uniform_": lambda i, t: i.uniform_(t, -1, 3),
    "normal_": lambda i, t: i.normal_(t, 2, 3),
    "trunc_normal_": lambda i, t: i.trunc_normal_(t, 0.1, 0.8, -1, 2),
    "trunc_normal_ far": lambda i, t: i.trunc_normal_(t, 0, 1, 1.5, 4),
    "kaiming_uniform_": lambda i, t: i.kaiming_uniform_(t, 0.3, "fan_out"),
    "kaiming_normal_": lambda i, t: i.kaiming_normal_(t, nonlinearity="selu"),
    "xavier_uniform_": lambda i, t: i.xavier_uniform_(t, 1.5),
    "xavier_normal_": lambda i, t: i.xavier_normal_(t, 1.5),
    "orthogonal_": lambda i, t: i.orthogonal_(t, 0.5),
    "sparse_": lambda i, t: i.sparse_(t.view(200, 100), 0.33, 0.1),
}


@pytest.mark.parametrize("name", DRAWN)
def test_distributions(name):
    values = []
    for library, i in LIBRARIES:
        library.manual_seed(0)
        values.append(DRAWN[name](i, library.empty(*W)).numpy().ravel())
    assert (values[0] == 0).sum() == (values[1] == 0).sum()
    assert stats.ks_2samp(*values).pvalue > 1e-4  # one pair of seeds in 10,000 would fail


EXACT = {
    "constant_": lambda i, e: i.constant_(e(3, 2), 1.5),
    "ones_": lambda i, e: i.ones_(e(3)),
    "zeros_": lambda i, e: i.zeros_(e(3, 0, 2)),
    "eye_": lambda i, e: i.eye_(e(3, 5)),
    "dirac_": lambda i, e: i.dirac_(e(4, 2, 3)),
    "dirac_ in groups": lambda i, e: i.dirac_(e(6, 3, 4, 3), 2),
    "dirac_ in three dimensions": lambda i, e: i.dirac_(e(2, 3, 1, 2, 3)),
}


@pytest.mark.parametrize("name", EXACT)
def test_structures(name):
    a, b = (EXACT[name](i, library.empty) for library, i in LIBRARIES)
    assert a.tolist() == b.tolist() and str(a.dtype) == str(b.dtype).removeprefix("torch.")


def test_gains():
    for name in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
                 "tanh", "relu", "leaky_relu", "selu"):  # fmt: skip
        assert init.calculate_gain(name) == theirs.calculate_gain(name)
    for slope in (0, 0.2, 3):
        assert init.calculate_gain("leaky_relu", slope) == theirs.calculate_gain("leaky_relu", slope)


BAD = {
    "gain": lambda i, e: i.calculate_gain("swish"),
    "slope": lambda i, e: i.calculate_gain("leaky_relu", True),
    "mode": lambda i, e: i.kaiming_normal_(e(2, 2), mode="fan"),
    "fan of a vector": lambda i, e: i.xavier_normal_(e(2)),
    "fan of a number": lambda i, e: i.kaiming_uniform_(e(())),
    "no fan at all": lambda i, e: i.xavier_uniform_(e(0, 0)),
    "eye_": lambda i, e: i.eye_(e(2)),
    "dirac_": lambda i, e: i.dirac_(e(2, 2)),
    "dirac_ groups": lambda i, e: i.dirac_(e(3, 2, 1), 2),
    "orthogonal_": lambda i, e: i.orthogonal_(e(2)),
    "sparse_": lambda i, e: i.sparse_(e(2), 0.1),
    "uniform_": lambda i, e: i.uniform_(e(2), 1, 0),
    "normal_": lambda i, e: i.normal_(e(2), 0, -1),
    "trunc_normal_": lambda i, e: i.trunc_normal_(e(2), a=1, b=0),
    "trunc_normal_ std": lambda i, e: i.trunc_normal_(e(2), std=0),
}


@pytest.mark.parametrize("name", BAD)
def test_the_same_errors(name):
    errors = []
    for library, i in LIBRARIES:
        with pytest.raises(Exception) as error:  # noqa: PT011
            BAD[name](i, library.empty)
        errors.append(error.value)
    assert isinstance(errors[0], type(errors[1])), errors


@pytest.mark.parametrize("name", ["uniform", "normal", "xavier_uniform", "kaiming_normal", "eye", "orthogonal"])
def test_the_same_warnings(name):
    for library, i in LIBRARIES:
        with pytest.warns(FutureWarning, match=f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`"):
            getattr(i, name)(library.empty(3, 3))
        with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
            i.kaiming_uniform_(library.empty(0, 3))
