"""Saving and loading: exact round trips of nested data, what is refused, and other programs' readers and writers."""

import io
import json
import math
import pathlib
import struct
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import engine
from engine import nn, serialization


def tensors():
    rng = np.random.default_rng(0)
    array = rng.standard_normal((4, 6)).astype("float32")
    base = engine.tensor(array)
    return {
        "contiguous": base, "transposed": base.t(), "strided": base[:, ::2], "expanded": base[:1].expand(3, 6),
        "reversed": engine.from_numpy(array[::-1]), "slice of rows": base[1:3],
        "fortran": engine.from_numpy(np.asfortranarray(rng.standard_normal((3, 4, 5)))),
        "no elements": engine.zeros(3, 0, 2), "no dimensions": engine.tensor(2.5), "element": base[1, 2],
        "float64": engine.tensor([1e300, -0.0, float("inf")], dtype="float64"), "nan": engine.tensor([float("nan")]),
        "int64": engine.tensor([-(2**62), 1]), "int32": engine.ones(2, dtype="int32"), "int16": engine.ones(1, dtype="int16"),
        "int8": engine.tensor([-128, 127], dtype="int8"), "uint8": engine.tensor([[255]], dtype="uint8"),
        "bool": engine.tensor([True, False]), "a.dotted.name": engine.ones(1), "näme": engine.ones(1), "": engine.ones(1),
        "parameter": nn.Parameter(engine.ones(2, 2)), "taped": engine.ones(2, requires_grad=True) * 3,
    }  # fmt: skip


def same(a, b):
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert a.dtype == b.dtype and a.shape == b.shape


def through(obj, **options):
    f = io.BytesIO()
    engine.save(obj, f, **options)
    f.seek(0)
    return engine.load(f)


# ---- Tensors


def test_metadata_in_any_order_gives_the_same_bytes():
    notes = {f"key {i} \x01 \x7f é \u2028": f'a "quoted" \\ value\n{i}' for i in range(20)}
    files = []
    for order in (notes, dict(reversed(notes.items()))):
        f = io.BytesIO()
        engine.save({"w": engine.ones(2, 3), "b": engine.zeros(())}, f, metadata=order)
        files.append(f.getvalue())
        f.seek(0)
        assert engine.serialization.metadata(f) == notes
    assert files[0] == files[1]
    from safetensors.numpy import load

    assert load(files[0])["w"].tolist() == [[1, 1, 1]] * 2


def test_round_trip(tmp_path):
    saved = tensors()
    engine.save(saved, tmp_path / "a.safetensors")
    loaded = engine.load(tmp_path / "a.safetensors")
    assert loaded.keys() == saved.keys()
    for name, t in loaded.items():
        same(t, saved[name])
        assert t.is_contiguous() and not t.requires_grad
        t.fill_(1)  # loaded tensors own writable memory
    assert len({id(t._array.base if t._array.base is not None else t._array) for t in loaded.values()}) == len(loaded)


def test_a_model_survives(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    net(engine.randn(4, 1, 4, 4))
    engine.save(net.state_dict(), tmp_path / "net")
    fresh = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    fresh.load_state_dict(engine.load(tmp_path / "net"))
    for name, t in net.state_dict().items():
        same(fresh.state_dict()[name], t)


def test_the_same_data_gives_the_same_bytes():
    def written():
        f = io.BytesIO()
        engine.save({"b": engine.ones(3, dtype="uint8"), "a": engine.ones(2), "n": 1}, f)
        return f.getvalue()

    assert written() == written()


# ---- nested data


def nested():
    return {
        "epoch": 3, "lr": 0.1, "best": -0.0, "worst": float("inf"), "none": None, "yes": True, "big": 2**70, "text": "ü\n\ud800",
        "list": [1, [2.5, "x"], {}, []], "tuple": (1, (), ("a", None)), 7: {0: engine.ones(2), -1: {True: 1}, 1.5: "float key", None: 0},
        "model": {"a.b": engine.tensor([1.0]), "a": {"b": engine.tensor([2.0])}, "a.b#2": engine.tensor([3.0])},
        "tensor": engine.tensor(4), "__metadata__": engine.tensor([5]), "empty": "",
    }  # fmt: skip


def equal(a, b):
    if isinstance(a, engine.Tensor):
        same(a, b)
    elif isinstance(a, dict):
        assert type(b) is dict and list(a) == list(b) and [type(k) for k in a] == [type(k) for k in b]
        for k in a:
            equal(a[k], b[k])
    elif isinstance(a, (list, tuple)):
        assert type(a) is type(b) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            equal(x, y)
    else:
        assert type(a) is type(b) and a == b
        if isinstance(a, float):
            assert math.copysign(1, a) == math.copysign(1, b)


def test_nested_data_comes_back_as_it_was():
    equal(nested(), through(nested()))


@pytest.mark.parametrize("obj", [
    {}, [], (), None, 0, "", True, 1.5, [None], engine.tensor([1, 2]), [engine.tensor(1.0)] * 2, {1: engine.ones(1)},
    {"a": {}}, {"__metadata__": engine.ones(1)}, {"a": engine.ones(1), "b": 1},
], ids=str)  # fmt: skip
def test_anything_that_is_data_may_stand_at_the_top(obj):
    equal(obj, through(obj))
    assert type(through(obj)) is type(obj)


def test_nan_stays_nan():
    assert math.isnan(through([float("nan")])[0])


def test_an_optimiser_survives():
    w = nn.Parameter(engine.ones(3))
    first = engine.optim.SGD([{"params": [w], "lr": 0.5}], lr=0.1, momentum=0.9)
    (w * 2).sum().backward()
    first.step()
    again = engine.optim.SGD([{"params": [w], "lr": 0.1}], lr=0.1, momentum=0.9)
    again.load_state_dict(through(first.state_dict()))
    assert again.param_groups[0]["lr"] == 0.5
    same(again.state[w]["momentum_buffer"], first.state[w]["momentum_buffer"])


def test_numbers_of_numpy_become_those_of_python():
    loaded = through({"a": np.float64(1.5), "b": np.int32(3), "c": np.bool_(True), np.int64(4): np.float32(0.1)})
    equal(loaded, {"a": 1.5, "b": 3, "c": True, 4: float(np.float32(0.1))})


def test_other_dicts_become_dicts():
    equal(
        through({"a": OrderedDict(z=1, y=2), "b": defaultdict(list, k=[1])}), {"a": {"z": 1, "y": 2}, "b": {"k": [1]}}
    )
    assert through({"p": namedtuple("P", "x y")(1, 2)}) == {"p": (1, 2)}


@pytest.mark.parametrize("obj, path", [
    ({"a": {"b": [1, print]}}, r"obj\['a'\]\['b'\]\[1\] is of type builtin_function_or_method"),
    ({"a": np.ones(2)}, r"obj\['a'\] is of type ndarray"), ({"a": b"bytes"}, r"obj\['a'\] is of type bytes"),
    ({"a": {1, 2}}, r"obj\['a'\] is of type set"), ({"a": 1j}, "of type complex"), (object(), "obj is of type object"),
    ({(1, 2): 3}, r"key obj\[\(1, 2\)\] is of type tuple; keys are strings, numbers or None"),
    (nn.Linear(1, 1), r"obj is of type Linear; .* save its state_dict\(\)"), ({"a": np.complex64(1)}, "of type complex"),
])  # fmt: skip
def test_what_is_no_data_is_refused_before_anything_is_written(tmp_path, obj, path):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(TypeError, match=path):
        engine.save(obj, target)
    assert target.read_bytes() == b"old"


def test_data_that_contains_itself_is_refused():
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(ValueError, match="nested deeper than 100 levels"):
        engine.save(loop, io.BytesIO())
    deep = engine.tensor(1)
    for _ in range(99):
        deep = [deep]
    assert through(deep)[0][0] is not None


# ---- where to and where from


def test_paths_and_files(tmp_path):
    state = {"w": engine.ones(2)}
    for f in (str(tmp_path / "a"), tmp_path / "a", pathlib.PurePath(tmp_path / "a")):
        engine.save(state, f)
        assert engine.load(f)["w"].tolist() == [1, 1]
    with open(tmp_path / "b", "wb") as f:
        engine.save(state, f)
    with open(tmp_path / "b", "rb") as f:
        assert engine.load(f)["w"].tolist() == [1, 1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(TypeError, match="must be open for binary reading, it gave str"):
        engine.load(io.StringIO("x"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        engine.load(tmp_path / "none")
    with pytest.raises(OSError):
        engine.load(tmp_path)


@pytest.mark.parametrize(
    "place", [None, "cpu", engine.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage]
)
def test_map_location(tmp_path, place):
    engine.save({"w": engine.ones(1)}, tmp_path / "a")
    assert engine.load(tmp_path / "a", place)["w"].device == "cpu"
    assert engine.load(tmp_path / "a", map_location=place, weights_only=False)["w"].item() == 1


@pytest.mark.parametrize("place", ["cuda", {"cpu": "cuda:1"}, "meta"])
def test_places_that_are_not_there(tmp_path, place):
    engine.save({"w": engine.ones(1)}, tmp_path / "a")
    with pytest.raises(RuntimeError, match="not available|loaded to the CPU"):
        engine.load(tmp_path / "a", place)


def test_metadata(tmp_path):
    engine.save({"w": engine.ones(1)}, tmp_path / "a", metadata={"task": "digits", "ü": ""})
    assert serialization.metadata(tmp_path / "a") == {"task": "digits", "ü": ""}
    engine.save({"w": 1}, tmp_path / "b", metadata={"task": "digits"})
    assert serialization.metadata(tmp_path / "b") == {"task": "digits"} and engine.load(tmp_path / "b") == {"w": 1}
    for wrong in ({"a": 1}, {1: "a"}):
        with pytest.raises(TypeError, match="metadata maps strings to strings"):
            engine.save({}, tmp_path / "a", metadata=wrong)
    with pytest.raises(ValueError, match="is taken"):
        engine.save({}, tmp_path / "a", metadata={"engine.structure": ""})
    assert serialization.metadata(tmp_path / "a")["task"] == "digits"


# ---- other programs


def test_other_readers_see_the_same(tmp_path):
    numpy_reader = pytest.importorskip("safetensors.numpy")
    saved = {name: t for name, t in tensors().items() if name}
    engine.save(saved, tmp_path / "a", metadata={"epoch": "3"})
    arrays = numpy_reader.load_file(tmp_path / "a")
    assert sorted(arrays) == sorted(saved)
    for name, t in saved.items():
        np.testing.assert_array_equal(arrays[name], t.detach().numpy())
        assert arrays[name].dtype == t.dtype
    with pytest.importorskip("safetensors").safe_open(tmp_path / "a", "numpy") as f:
        assert f.metadata() == {"epoch": "3"}


def test_other_readers_see_the_tensors_of_nested_data(tmp_path):
    numpy_reader = pytest.importorskip("safetensors.numpy")
    engine.save({"epoch": 3, "model": {"0.weight": engine.ones(2, 3)}, "state": [{0: engine.zeros(1)}]}, tmp_path / "a")
    assert {n: a.shape for n, a in numpy_reader.load_file(tmp_path / "a").items()} == {
        "model.0.weight": (2, 3),
        "state.0.0": (1,),
    }


def test_files_of_other_writers_are_read(tmp_path):
    numpy_writer = pytest.importorskip("safetensors.numpy")
    arrays = {
        "half": np.array([1.5, 65504, -0.0, 2**-24], "float16"),
        "u8": np.arange(3, dtype="uint8"),
        "f8": np.ones((2, 0)),
    }
    numpy_writer.save_file(arrays, tmp_path / "a", metadata={"format": "np"})
    loaded = engine.load(tmp_path / "a")
    assert loaded["half"].dtype == engine.float32 and loaded["half"].tolist() == [1.5, 65504, 0, 2**-24]
    assert loaded["u8"].tolist() == [0, 1, 2] and loaded["f8"].shape == (2, 0)
    assert serialization.metadata(tmp_path / "a") == {"format": "np"}


def test_bfloat16_is_read_exactly():
    bits = np.array([0x3F80, 0xC000, 0x7F80, 0x0001, 0x8000, 0x7F7F], "<u2")
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}).encode()
    t = engine.load(io.BytesIO(struct.pack("<Q", len(header)) + header + bits.tobytes()))["w"]
    assert t.dtype == engine.float32 and t.shape == (2, 3)
    assert t.numpy().view("u4").ravel().tolist() == [int(b) << 16 for b in bits]


def test_big_endian_arrays_are_written_little(tmp_path):
    from engine.serialization import safetensors_file

    f = io.BytesIO()
    safetensors_file.write(f, {"a": np.arange(6, dtype=">f4").reshape(2, 3).T, "b": np.array(7, ">i8")}, {})
    loaded = engine.load(io.BytesIO(f.getvalue()))
    assert loaded["a"].tolist() == [[0, 3], [1, 4], [2, 5]] and loaded["b"].item() == 7 and loaded["b"].shape == ()


def test_npy_and_npz(tmp_path):
    a = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "a.npy", a)
    same(engine.load(tmp_path / "a.npy"), engine.tensor(a))
    arrays = {
        "f4": np.ones((2, 2), ">f4"),
        "half": np.array(1.5, "float16"),
        "b": np.array([True, False]),
        "e": np.zeros((0, 3)),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        loaded = engine.load(tmp_path / "a.npz")
        assert {n: (t.shape, t.dtype.name) for n, t in loaded.items()} == {
            "f4": ((2, 2), "float32"), "half": ((), "float32"), "b": ((2,), "bool"), "e": ((0, 3), "float64"),
        }  # fmt: skip
        assert (
            loaded["f4"].tolist() == [[1, 1], [1, 1]]
            and loaded["half"].item() == 1.5
            and loaded["b"].tolist() == [True, False]
        )


@pytest.mark.parametrize("array", [np.array([{}]), np.array(["text"]), np.ones(2, "complex64"), np.ones(2, "uint16"),
                                   np.zeros(2, [("a", "f4")]), np.array(["2020"], "M8[D]")], ids=lambda a: str(a.dtype))  # fmt: skip
def test_npy_of_other_dtypes_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(serialization.FileFormatError, match="a.npy: it holds an array of dtype"):
        engine.load(tmp_path / "a.npy")
