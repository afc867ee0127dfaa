"""PyTorch's files, read without PyTorch: what honest ones hold. Hostile ones are in test_hostile_files.py."""

import io
import struct
from collections import OrderedDict

import numpy as np
import pytest
from pickles import (
    BIG,
    DICT,
    FALSE,
    HOOKS,
    LIST,
    MARK,
    NONE,
    STOP,
    TRUE,
    TUPLE0,
    call,
    name,
    number,
    several,
    sizes,
    storage,
    table,
    tensor,
    text,
    torch_legacy,
    torch_zip,
    whole,
)  # fmt: skip

import engine
from engine import nn
from engine.serialization import read_pickle

F4 = np.arange(12, dtype="<f4")


def both(entries, blocks):
    """The same data as a zip and as a legacy file. entries(legacy) -> pickled value; blocks: key -> (count, bytes)."""
    yield torch_zip(whole(entries(False)), {key: data for key, (_, data) in blocks.items()})
    yield torch_legacy(whole(entries(True)), blocks)


def loaded(data, **options):
    return engine.load(io.BytesIO(data), **options)


def test_the_published_resnet_20(data_root):
    path = data_root / "weights" / "resnet20-12fca82f.th"
    if not path.exists():
        pytest.skip(f"no file {path}")
    checkpoint = engine.load(path)
    assert list(checkpoint) == ["best_prec1", "state_dict"] and checkpoint["best_prec1"] == pytest.approx(91.78)
    state = checkpoint["state_dict"]
    assert type(state) is OrderedDict and all(key.startswith("module.") for key in state)
    assert state["module.conv1.weight"].shape == (16, 3, 3, 3) and state["module.linear.bias"].shape == (10,)
    assert sum(t.numel() for key, t in state.items() if "running" not in key and "num_b" not in key) == 269_722
    assert all(t.isfinite().all() for t in state.values())
    net = nn.DataParallel(nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 16, 3, bias=False), bn1=nn.BatchNorm2d(16))))
    net.load_state_dict({k: t for k, t in state.items() if k in net.state_dict()}, strict=False)
    assert net.module.conv1.weight.tolist() == state["module.conv1.weight"].tolist()


def test_views_of_one_storage():
    def entries(legacy):
        block = storage("Float", "0", 12, legacy)
        return table({
            "whole": tensor(block, (3, 4), (4, 1)), "transposed": tensor(block, (4, 3), (1, 4)), "row": tensor(block, (4,), (1,), offset=8),
            "strided": tensor(block, (2, 2), (8, 2), offset=1), "scalar": tensor(block, (), (), offset=5), "empty": tensor(block, (0, 3), (3, 1)),
            "repeated": tensor(block, (5, 2), (0, 1)), "one": tensor(block, (1, 12), (2**62, 1)),
        })  # fmt: skip

    for data in both(entries, {"0": (12, F4.tobytes())}):
        got = loaded(data)
        a = F4.reshape(3, 4)
        expected = {"whole": a, "transposed": a.T, "row": a[2], "strided": [[1, 3], [9, 11]], "scalar": 5, "empty": np.zeros((0, 3)),
                    "repeated": [[0, 1]] * 5, "one": [F4]}  # fmt: skip
        for key, value in expected.items():
            np.testing.assert_array_equal(got[key].numpy(), value)
            assert got[key].shape == np.shape(value) and got[key].dtype == engine.float32
        got["whole"][2, 0] = 100  # as in PyTorch, those that shared memory share it again
        assert got["row"][0].item() == 100 and got["transposed"][0, 2].item() == 100


def test_an_in_place_change_of_a_shared_tensor_is_seen_by_the_tape():
    block = storage("Float", "0", 2)
    a, b = loaded(
        torch_zip(whole(several(tensor(block, (2,), (1,)), tensor(block, (2,), (1,)))), {"0": F4[:2].tobytes()})
    )
    w = engine.ones(2, requires_grad=True)
    y = (w * a).sum()
    b.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("kind, code", [("Double", "f8"), ("Long", "i8"), ("Int", "i4"), ("Short", "i2"), ("Char", "i1"), ("Byte", "u1"),
                                        ("Bool", "b1"), ("Half", "f2"), ("Float", "f4")])  # fmt: skip
@pytest.mark.parametrize("order, byteorder", [("<", b"little"), (">", b"big"), ("<", None)])
def test_every_dtype_in_either_byte_order(kind, code, order, byteorder):
    values = np.array([1, 0, 1] if code == "b1" else [0, 1, 100], code)
    raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
    little = values.astype(values.dtype.newbyteorder("<")).tobytes()  # as all legacy files are
    for t in (
        loaded(torch_zip(whole(tensor(storage(kind, "k", 3), (3,), (1,))), {"k": raw}, byteorder=byteorder)),
        loaded(torch_legacy(whole(tensor(storage(kind, "k", 3, True), (3,), (1,))), {"k": (3, little)})),
        loaded(torch_legacy(whole(tensor(storage(kind, "k", 3, True), (3,), (1,))), {"k": (3, little)}, system=BIG)),
    ):
        assert t.dtype == ("float32" if code == "f2" else code) and t.tolist() == values.tolist() and t.dtype.isnative


def test_bfloat16():
    bits = [0x3F80, 0xC000, 0x7F80, 0x0001, 0x8000]
    for order, flag in (("<", b"little"), (">", b"big")):
        raw = struct.pack(f"{order}5H", *bits)
        t = loaded(torch_zip(whole(tensor(storage("BFloat16", "0", 5), (5,), (1,))), {"0": raw}, byteorder=flag))
        assert t.dtype == engine.float32 and t.numpy().view("u4").tolist() == [b << 16 for b in bits]


def test_parameters_sizes_devices_dtypes():
    block = storage("Float", "0", 2)
    pickled = table({
        "parameter": call(name("torch._utils", "_rebuild_parameter"), tensor(block, (2,), (1,)), TRUE, HOOKS),
        "frozen": call(name("torch._utils", "_rebuild_parameter"), tensor(block, (2,), (1,)), FALSE, HOOKS),
        "wanted": tensor(block, (2,), (1,), requires_grad=TRUE),
        "size": call(name("torch", "Size"), sizes([2, 3])), "device": call(name("torch", "device"), text("cuda"), number(1)),
        "cpu": call(name("torch", "device"), text("cpu")), "mps": call(name("torch", "device"), text("mps")),
        "dtype": name("torch", "float64"), "old": call(name("torch._utils", "_rebuild_tensor"), block, number(0), sizes([2]), sizes([1])),
    })  # fmt: skip
    got = loaded(torch_zip(whole(pickled), {"0": F4[:2].tobytes()}, root="any name"))
    assert (
        type(got["parameter"]) is nn.Parameter
        and got["parameter"].requires_grad
        and got["parameter"].tolist() == [0, 1]
    )
    assert type(got["frozen"]) is nn.Parameter and not got["frozen"].requires_grad
    assert type(got["wanted"]) is engine.Tensor and got["wanted"].requires_grad
    assert got["size"] == (2, 3) and got["device"] == engine.device("cuda:1") and got["device"].type == "cuda"
    assert got["cpu"] == engine.device("cpu") and got["mps"] == "mps" and got["dtype"] == engine.float64
    assert got["old"].tolist() == [0, 1]


def test_plain_data():
    pickled = table({
        "int": number(-(2**40)), "float": b"G" + struct.pack(">d", 0.1), "none": NONE, "list": LIST + number(1) + b"a",
        "nested": DICT + number(3) + several(TRUE, TUPLE0) + b"s",
        "set": call(name("__builtin__", "set"), LIST + MARK + number(1) + number(2) + b"e"),
        "ordered": HOOKS + MARK + text("b") + number(1) + text("a") + number(2) + b"u",
        "metadata": HOOKS + table({"_metadata": HOOKS}) + b"b",
        "bytes": call(name("_codecs", "encode"), text("\x00\xff"), text("latin1")),
    })  # fmt: skip
    got = loaded(torch_zip(whole(pickled), {}))
    assert got == {"int": -(2**40), "float": 0.1, "none": None, "list": [1], "nested": {3: (True, ())}, "set": {1, 2},
                   "ordered": OrderedDict(b=1, a=2), "metadata": {}, "bytes": b"\x00\xff"}  # fmt: skip
    assert list(got["ordered"]) == ["b", "a"]


# ---- pickles of plain data


def test_a_batch_as_cifar_writes_it():
    """Protocol 2 by Python 2: strings are bytes, an array is three calls."""

    def old(s):
        return b"U" + bytes([len(s)]) + s

    pixels = np.random.default_rng(0).integers(0, 256, (4, 3072), "uint8")
    array = (
        call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), sizes([0]), old(b"b"))
        + b"q\x07"
        + several(
            number(1),
            sizes([4, 3072]),
            call(name("numpy", "dtype"), old(b"u1"), number(0), number(1))
            + several(number(3), old(b"|"), NONE, NONE, NONE, number(-1), number(-1), number(0))
            + b"b",
            FALSE,
            b"T" + struct.pack("<i", pixels.size) + pixels.tobytes(),
        )
        + b"b"
    )
    labels = LIST + MARK + b"".join(number(i) for i in (3, 1, 2, 0)) + b"e"
    pickled = DICT + MARK + old(b"data") + array + old(b"labels") + labels + old(b"again") + b"h\x07" + b"u"
    batch = read_pickle(whole(pickled))
    assert list(batch) == [b"data", b"labels", b"again"] and batch[b"labels"] == [3, 1, 2, 0]
    assert batch[b"data"].dtype == np.uint8 and batch[b"data"].flags.writeable and batch[b"again"] is batch[b"data"]
    np.testing.assert_array_equal(batch[b"data"], pixels)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_python_pickles(protocol):
    import pickle

    data = {
        "a": [1, 2.5, None, True, "ü", b"bytes", -(2**40)], 7: (1, (2, 3, 4, 5), ()), "set": {1, 2}, b"od": OrderedDict(x=[{}]),
        "long": list(range(3000)), "table": {i: str(i) for i in range(3000)}, "text": "x" * 300, "blob": b"y" * 300,
        "f": np.float64(1.5), "i": np.int32(-3), "b": np.bool_(True), "h": np.float16(0.5),
    }  # fmt: skip
    arrays = {"c": np.arange(6).reshape(2, 3), "fortran": np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)), "big": np.arange(3, dtype=">i4"),
              "empty": np.zeros((0, 2)), "u8": np.array(3, "uint64"), "half": np.ones(2, "float16")}  # fmt: skip
    got = read_pickle(pickle.dumps({**data, "arrays": arrays}, protocol))
    got_arrays = got.pop("arrays")
    assert got == data and type(got["f"]) is float and type(got["i"]) is int and type(got["b"]) is bool
    for key, a in arrays.items():
        np.testing.assert_array_equal(got_arrays[key], a)
        assert got_arrays[key].dtype == a.dtype.newbyteorder("=") and got_arrays[key].shape == a.shape


def test_strings_of_python_2_are_bytes_in_data_and_text_in_files_of_pytorch():
    pickled = whole(LIST + MARK + b"U\x03abc" + b"T\x02\x00\x00\x00\xc3\xbc" + b"I01\n" + b"I-12\n" + b"e")
    assert read_pickle(pickled) == [b"abc", b"\xc3\xbc", True, -12]
    assert loaded(torch_zip(pickled, {})) == ["abc", "ü", True, -12]
    assert read_pickle(b"\x80\x02N" + STOP) is None
