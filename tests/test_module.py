"""Module: hooks, containers, lazy layers, state, names and text, as PyTorch's."""

import copy
from collections import OrderedDict

import numpy as np
import pytest

import engine
from engine import nn, optim


def net():
    return nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2))


# ---- hooks


def test_forward_hooks_see_and_change_arguments_and_output():
    layer, seen = nn.Linear(2, 2), []
    x = engine.ones(1, 2)
    pre = layer.register_forward_pre_hook(lambda m, args: seen.append((m, args)))
    post = layer.register_forward_hook(lambda m, args, y: seen.append(y))
    y = layer(x)
    assert seen[0] == (layer, (x,)) and seen[1] is y
    pre.remove(), post.remove()
    layer.register_forward_pre_hook(lambda m, args: args[0] * 0)
    layer.register_forward_hook(lambda m, args, y: y + 1)
    assert layer(x).tolist() == (layer.bias + 1).reshape(1, 2).tolist() and len(seen) == 2


def test_the_order_of_hooks():
    layer, seen = nn.Identity(), []
    layer.register_forward_hook(lambda *_: seen.append("second"))
    layer.register_forward_hook(lambda *_: seen.append("third"))
    layer.register_forward_hook(lambda *_: seen.append("first"), prepend=True)
    layer(engine.ones(1))
    assert seen == ["first", "second", "third"]


def test_hooks_with_keywords():
    class Scale(nn.Module):
        def forward(self, x, by=1):
            return x * by

    layer, seen = Scale(), []
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, y: seen.append(kwargs), with_kwargs=True)
    assert layer(engine.ones(1), by=2).tolist() == [3] and seen == [{"by": 3}]


def test_a_hook_that_is_always_called():
    layer, seen = nn.Linear(2, 2), []
    layer.register_forward_hook(lambda m, args, y: seen.append(y), always_call=True)
    with pytest.raises(RuntimeError, match="last dimension must match"):
        layer(engine.ones(1, 3))
    assert seen == [None]


def test_backward_hooks_see_and_change_gradients():
    model, seen = net(), []
    for layer in model:
        layer.register_full_backward_hook(lambda m, gi, go: seen.append((m, gi, go)))
    x = engine.ones(5, 4)
    x.requires_grad = True
    model(x).sum().backward()
    assert [m for m, _, _ in seen] == list(model)[::-1]
    (_, (g2,), (g3,)), (_, (g1,), (same_g2,)), (_, (g0,), _) = seen
    assert g3.tolist() == np.ones((5, 2)).tolist() and g2.tolist() == same_g2.tolist()
    np.testing.assert_allclose(g0.numpy(), x.grad.numpy())
    np.testing.assert_allclose(g1.numpy() @ model[0].weight.detach().numpy(), g0.numpy(), rtol=1e-6)
    plain = x.grad.numpy().copy()
    x.grad = None
    model[0].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    model[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    model(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * plain, rtol=1e-6)


def test_a_backward_hook_where_no_input_has_a_gradient():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(engine.ones(3, 2)).sum().backward()
    assert seen == [((None,), [[1.0]] * 3)]
    with engine.no_grad():
        layer(engine.ones(3, 2))
    assert len(seen) == 1


def test_a_backward_hook_must_return_as_many_gradients():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="returned 2 gradients, expected 1"):
        layer(engine.ones(3, 2).requires_grad_()).sum().backward()


# ---- containers


def test_sequential_as_a_list():
    model = net()
    model.append(nn.ReLU()).insert(1, nn.Dropout()).extend([nn.Identity()])
    assert [type(m).__name__ for m in model] == ["Linear", "Dropout", "Sigmoid", "Linear", "ReLU", "Identity"]
    del model[1]
    model[-1] = nn.Tanh()
    assert isinstance(model.pop(), nn.Tanh) and len(model) == 4 and list(model._modules) == ["0", "1", "2", "3"]
    assert len(model + nn.Sequential(nn.ReLU())) == 5
    with pytest.raises(IndexError, match="index 9 is out of range"):
        model[9]
    with pytest.raises(TypeError, match="not a Module"):
        model[0] = 3


def test_module_list():
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    layers += [nn.ReLU()]
    assert len(layers) == 4 and len(list(layers.parameters())) == 6 and isinstance(layers[1:], nn.ModuleList)
    assert list(layers.state_dict())[:2] == ["0.weight", "0.bias"]
    with pytest.raises(NotImplementedError, match="forward"):
        layers(engine.ones(2))
    with pytest.raises(TypeError, match="iterable"):
        layers.extend(nn.ReLU)


def test_module_dict():
    d = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3), "act": nn.ReLU()})
    d.update([["more", nn.Identity()]])
    assert list(d) == ["conv", "act", "more"] and "act" in d and len(d) == 3
    assert list(d.state_dict()) == ["conv.weight", "conv.bias"] and isinstance(d.pop("act"), nn.ReLU)
    del d["more"]
    assert dict(d.items()) == {"conv": d["conv"]}
    with pytest.raises(KeyError):
        d["keys"] = nn.ReLU()  # would hide the method


def test_parameters_in_lists_and_dicts():
    ps = nn.ParameterList([nn.Parameter(engine.ones(2)), engine.zeros(3)])
    ps.append(engine.ones(1))
    assert [tuple(p.shape) for p in ps.parameters()] == [(2,), (3,), (1,)] and isinstance(ps[1], nn.Parameter)
    ps[0] = nn.Parameter(engine.zeros(5))
    assert list(ps.state_dict()) == ["0", "1", "2"] and ps[0].shape == (5,) and len(ps[1:]) == 2
    d = nn.ParameterDict({"a": engine.ones(2)})
    assert list(d.state_dict()) == ["a"] and d["a"].requires_grad and "Parameter containing" in repr(d)


def test_the_order_of_entries():
    one, two = engine.ones(1), engine.ones(2)
    plain = nn.ParameterDict({"b": one, "a": two})
    assert list(plain) == ["a", "b"]  # as PyTorch's; the state of an optimiser goes by the order
    given = nn.ParameterDict([("b", one), ("a", two)])
    for same in (nn.ParameterDict(OrderedDict(b=one, a=two)), nn.ParameterDict(given), given.copy(), given | given):
        assert list(same) == ["b", "a"]
    assert list(given.fromkeys(["z", "c"], one)) == ["z", "c"]
    given |= nn.ParameterDict([("z", one), ("c", two)])
    assert list(given) == ["b", "a", "z", "c"]
    modules = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})
    assert list(modules) == list(nn.ModuleDict(modules)) == ["b", "a"]


# ---- lazy layers


def test_lazy_layers_become_ordinary_ones():
    model = nn.Sequential(nn.LazyConv2d(4, 3, padding=1, groups=2), nn.Flatten(), nn.LazyLinear(5, bias=False))
    assert "LazyConv2d(0, 4" in repr(model) and repr(model[2].weight) == "<UninitializedParameter>"
    weight = model[0].weight
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="has no shape yet: call the model once"):
        sum(p.numel() for p in model.parameters())
    y = model(engine.ones(2, 6, 4, 4))
    assert type(model[0]) is nn.Conv2d and type(model[2]) is nn.Linear and y.shape == (2, 5)
    assert model[0].weight is weight and weight.shape == (4, 3, 3, 3) and model[2].in_features == 64
    assert 0.1 < weight.abs().max().item() <= 27**-0.5
    before = weight.tolist()
    y.sum().backward()
    optimizer.step()
    assert weight.tolist() != before


def test_every_lazy_layer():
    for kind, shape, expected in [
        (nn.LazyConv1d, (2, 6, 9), (4, 6, 3)),
        (nn.LazyConvTranspose1d, (2, 6, 9), (6, 4, 3)),
        (nn.LazyConvTranspose2d, (2, 6, 5, 4), (6, 4, 3, 3)),
        (nn.LazyConv2d, (6, 5, 4), (4, 6, 3, 3)),
    ]:
        layer = kind(4, 3)
        y = layer(engine.ones(shape))
        assert type(layer) is kind.kind and layer.in_channels == 6 and layer.weight.shape == expected
        assert y.tolist() == layer(engine.ones(shape)).tolist()


def test_lazy_layers_start_as_ordinary_ones_do():
    engine.manual_seed(3)
    ordinary = nn.Linear(7, 5)
    engine.manual_seed(3)
    lazy = nn.LazyLinear(5)
    lazy(engine.ones(2, 7))
    assert lazy.weight.tolist() == ordinary.weight.tolist() and lazy.bias.tolist() == ordinary.bias.tolist()


def test_a_lazy_layer_loads_weights():
    source, lazy = nn.Linear(7, 5), nn.Sequential(nn.LazyLinear(5))
    lazy.load_state_dict({"0.weight": source.weight.detach(), "0.bias": source.bias.detach()})
    x = engine.ones(2, 7)
    assert lazy(x).tolist() == source(x).tolist() and lazy[0].in_features == 7


def test_a_lazy_layer_checks_its_arguments_at_once():
    with pytest.raises(ValueError, match="out_channels must be divisible by groups"):
        nn.LazyConv2d(5, 3, groups=2)
    with pytest.raises(TypeError):
        nn.LazyLinear()


# ---- attributes and state


def test_names_are_checked():
    m = nn.Module()
    for register, value in ((m.register_buffer, None), (m.register_parameter, None), (m.add_module, None)):
        for name in ("", "a.b"):
            with pytest.raises(KeyError, match="non-empty and without dots"):
                register(name, value)
        with pytest.raises(KeyError, match="'forward' already exists"):
            register("forward", value)
        with pytest.raises(TypeError, match="should be a string"):
            register(3, value)
    with pytest.raises(TypeError, match="cannot assign list as buffer"):
        m.register_buffer("b", [1])


def test_buffers_that_are_not_kept():
    m = nn.Module()
    m.register_buffer("kept", engine.ones(1))
    m.register_buffer("volatile", engine.ones(1), persistent=False)
    assert list(m.state_dict()) == ["kept"] and [n for n, _ in m.named_buffers()] == ["kept", "volatile"]
    assert m.load_state_dict({"kept": engine.zeros(1)}) == ([], [])
    assert list(copy.deepcopy(m).state_dict()) == ["kept"]


def test_submodules_parameters_and_buffers_by_path():
    model = nn.Sequential(OrderedDict(a=nn.Sequential(nn.BatchNorm2d(2))))
    assert model.get_submodule("a.0") is model.a[0] and model.get_submodule("") is model
    assert model.get_parameter("a.0.weight") is model.a[0].weight
    assert model.get_buffer("a.0.running_var") is model.a[0].running_var
    for call in (
        lambda: model.get_submodule("a.1"),
        lambda: model.get_parameter("a.0.running_var"),
        lambda: model.get_buffer("b"),
    ):
        with pytest.raises(AttributeError, match="has no"):
            call()
    assert "a" in dir(model) and "weight" in dir(model.a[0])


def test_shared_parameters_are_listed_once_unless_asked():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, layer)
    assert len(list(model.named_parameters())) == 2
    assert [n for n, _ in model.named_parameters(remove_duplicate=False)] == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
    ]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_state_dict_options():
    layer = nn.Linear(2, 3)
    assert list(layer.state_dict(prefix="fc.")) == ["fc.weight", "fc.bias"]
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight
    value = engine.ones(3, 2, dtype="float64")
    result = layer.load_state_dict({"weight": value, "other": engine.ones(1)}, strict=False, assign=True)
    assert result == (["bias"], ["other"]) and layer.weight.dtype == engine.float64
    assert repr(layer.load_state_dict(layer.state_dict())) == "<All keys matched successfully>"
    value.mul_(2)
    assert layer.weight.tolist() == [[2, 2]] * 3
    with pytest.raises(TypeError, match="dict-like"):
        layer.load_state_dict([1])


def test_conversion():
    m = nn.BatchNorm2d(2).double()
    assert m.weight.dtype == engine.float64 and m.num_batches_tracked.dtype == engine.int64
    m.type(engine.float32)
    assert m.running_mean.dtype == engine.float32
    with pytest.raises(TypeError, match="floating point"):
        m.to(engine.int64)
    with pytest.raises(TypeError, match="float16"):
        m.half()
    with pytest.raises(ValueError, match="boolean"):
        m.train("yes")


# ---- text


def test_html_is_a_tree():
    text = nn.Sequential(OrderedDict(a=net(), b=nn.ReLU()))._repr_html_()
    assert text.count("<details") == 2 and "<b>a</b>" in text and "23 parameters" in text
    assert "<script" not in nn.Sequential(OrderedDict({"<script>": nn.ReLU()}))._repr_html_()
    assert "LazyLinear" in nn.Sequential(nn.LazyLinear(2))._repr_html_()


def test_repr_of_extra_lines():
    class Two(nn.Module):
        def extra_repr(self):
            return "one\ntwo"

    assert repr(Two()) == "Two(\n  one\n  two\n)"


def test_a_short_way_to_parameters_sees_what_the_table_holds():
    layer = nn.Linear(2, 3)
    p = layer._parameters["weight"] = nn.Parameter(engine.ones(3, 2))
    assert layer.weight is p
    del layer.bias
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'bias'"):
        _ = layer.bias
    assert not hasattr(layer, "bias")
    layer.bias = other = engine.zeros(3)  # no Parameter: an attribute like any other
    assert layer.bias is other and "bias" not in dict(layer.named_parameters())
    del layer.weight
    layer.weight = p
    assert layer.weight is p and "weight" in layer._parameters
    with pytest.raises(AttributeError, match="before assigning"):
        nn.Linear.__new__(nn.Linear).weight = p
