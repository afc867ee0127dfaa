"""The state of optimisers: saved, loaded, copied; from older versions, of other dtypes, of other parameters."""

import copy
import pickle

import pytest
from updates import ALL, FIRST, NAMES, advance, case_id, make

import engine
from engine import optim


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


@pytest.mark.parametrize("name, options", ALL, ids=map(case_id, ALL))
def test_training_resumes_from_a_state_dict(name, options):
    params = make(engine)
    optimiser = getattr(optim, name)(params, **options)
    advance(engine, optimiser, params, range(1, 30))
    copies = [engine.tensor(p.detach(), requires_grad=True) for p in params]
    resumed = getattr(optim, name)(copies, lr=77.0)
    resumed.load_state_dict(optimiser.state_dict())
    advance(engine, optimiser, params, range(30, 60))
    advance(engine, resumed, copies, range(30, 60))
    assert [p.tolist() for p in params] == [p.tolist() for p in copies]


@pytest.mark.parametrize("name, options", FIRST, ids=NAMES)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
def test_an_optimiser_is_copied_with_its_parameters(name, options, copied):
    params = make(engine)
    optimiser = getattr(optim, name)(params, **options)
    advance(engine, optimiser, params, range(1, 5))
    others, other = copied((params, optimiser))
    advance(engine, optimiser, params, range(5, 9))
    assert [p.tolist() for p in params] != [p.tolist() for p in others]
    advance(engine, other, others, range(5, 9))
    assert [p.tolist() for p in params] == [p.tolist() for p in others]


def test_a_state_of_other_parameters_is_refused_and_changes_nothing():
    params = make(engine)
    optimiser = optim.Adam(params)
    advance(engine, optimiser, params, range(1, 3))
    saved = optimiser.state_dict()
    for others, message in (
        ([{"params": [p]} for p in make(engine)], "different number of parameter groups: 1, expected 4"),
        (make(engine)[:2], "group 0 has 4 parameters, expected 2"),
        (
            [*make(engine)[:1], *make(engine)[:1], *make(engine)[2:]],
            r"loaded state 'exp_avg' of parameter 1 has shape \(7,\), expected \(5, 3\)",
        ),
    ):
        fresh = optim.Adam(others, lr=5.0)
        with pytest.raises(ValueError, match=message):
            fresh.load_state_dict(saved)
        assert fresh.param_groups[0]["lr"] == 5.0 and not fresh.state


def test_a_loaded_state_is_a_copy_in_the_parameters_dtype():
    params, wide = make(engine), make(engine, "float64")
    optimiser, other = optim.NAdam(params), optim.NAdam(wide)
    advance(engine, optimiser, params, range(1, 3))
    other.load_state_dict(optimiser.state_dict())
    for p, q in zip(params, wide, strict=True):
        a, b = optimiser.state[p], other.state[q]
        assert b["exp_avg"].dtype == engine.float64 and a["exp_avg"].tolist() == b["exp_avg"].tolist()
        for name in ("step", "mu_product"):
            assert b[name].dtype == engine.float32 and b[name].shape == () and b[name] is not a[name]
    advance(engine, other, wide, range(3, 4))
    assert optimiser.state[params[0]]["step"].item() == 2


def test_a_state_from_before_some_options_and_with_counts_that_are_ints():
    params, copies = make(engine), make(engine)
    optimiser = optim.Adam(params, lr=0.1)
    advance(engine, optimiser, params, range(1, 4))
    saved = optimiser.state_dict()
    saved["state"] = {i: {**s, "step": int(s["step"])} for i, s in saved["state"].items()}
    for option in ("amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay"):
        del saved["param_groups"][0][option]
    other = optim.Adam(copies)
    other.load_state_dict(saved)
    for p, q in zip(params, copies, strict=True):
        q.data = p.detach().clone()
    advance(engine, optimiser, params, range(4, 8))
    advance(engine, other, copies, range(4, 8))
    assert [p.tolist() for p in params] == [p.tolist() for p in copies]


def test_an_option_turned_on_later_starts_from_zeros():
    p = engine.ones(3, requires_grad=True)
    for optimiser, option, value, state in (
        (optim.SGD([p], lr=0.1), "momentum", 0.9, "momentum_buffer"), (optim.Adam([p]), "amsgrad", True, "max_exp_avg_sq"),
        (optim.RMSprop([p]), "centered", True, "grad_avg"), (optim.RMSprop([p]), "momentum", 0.9, "momentum_buffer"),
    ):  # fmt: skip
        p.grad = engine.ones(3)
        optimiser.step()
        assert state not in optimiser.state[p]
        optimiser.param_groups[0][option] = value
        optimiser.step()
        assert optimiser.state[p][state].tolist() != [0, 0, 0]
