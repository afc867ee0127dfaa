"""Copies of tensors, layers and nets: deepcopy, copy and pickle give leaves of their own."""

import copy
import pickle

import pytest

import engine
from engine import nn


def test_a_deep_copy_of_a_leaf_gets_its_own_gradient():
    w = engine.ones(2, requires_grad=True)
    v = copy.deepcopy(w)
    (v * 3).sum().backward()
    assert w.grad is None and v.grad.tolist() == [3, 3]
    v.detach()[0] = 5
    assert w.tolist() == [1, 1]
    assert (v + w)._k is engine.ones(1)._k  # on the same backend still


def test_a_shallow_copy_shares_memory_and_nothing_else():
    w = engine.ones(2, requires_grad=True)
    v = copy.copy(w)
    v.sum().backward()
    assert w.grad is None and v.grad is not None
    v.detach()[0] = 5
    assert w.tolist() == [5, 1]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copied_net_computes_and_learns_by_itself(clone):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3))
    twin = clone(net)
    x = engine.randn(4, 1, 5, 5)
    assert net(x).tolist() == twin(x).tolist()
    before = net.state_dict()["0.weight"].tolist()
    twin(x).sum().backward()
    engine.optim.SGD(twin.parameters(), lr=1.0).step()
    assert net.state_dict()["0.weight"].tolist() == before
    assert all(p.grad is None for p in net.parameters())
    assert isinstance(twin[0].weight, nn.Parameter)


def test_the_best_weights_kept_by_a_deep_copy_load_again():
    net = nn.Linear(2, 3)
    best = copy.deepcopy(net.state_dict())
    with engine.no_grad():
        net.weight.zero_()
    net.load_state_dict(best)
    assert net.weight.tolist() == best["weight"].tolist() != [[0, 0]] * 3


def test_what_has_a_history_is_not_copied():
    y = engine.ones(2, requires_grad=True) * 2
    for f in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match="only leaf tensors"):
            f(y)
