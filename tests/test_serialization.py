"""Saving and loading: exact round trips, damaged files refused, and nothing saved before is ever lost."""

import os
import stat
import struct

import numpy as np
import pytest

import engine
from engine import nn, serialization


def tensors():
    rng = np.random.default_rng(0)
    base = engine.tensor(rng.standard_normal((4, 6)).astype("float32"))
    return {
        "contiguous": base, "transposed": base.t(), "strided": base[:, ::2], "reversed": base[::-1], "expanded": base[:1].expand(3, 6),
        "fortran": engine.from_numpy(np.asfortranarray(rng.standard_normal((3, 4, 5)))), "slice of rows": base[1:3],
        "no elements": engine.zeros(3, 0, 2), "no dimensions": engine.tensor(2.5), "element": base[1, 2],
        "float64": engine.tensor([1e300, -0.0, float("inf")], dtype="float64"), "nan": engine.tensor([float("nan")]),
        "int64": engine.tensor([-(2**62), 1]), "int32": engine.ones(2, dtype="int32"), "int16": engine.ones(1, dtype="int16"),
        "int8": engine.tensor([-128, 127], dtype="int8"), "uint8": engine.tensor([[255]], dtype="uint8"),
        "bool": engine.tensor([True, False]), "a.dotted.name": engine.ones(1), "näme": engine.ones(1),
        "parameter": nn.Parameter(engine.ones(2, 2)), "taped": engine.ones(2, requires_grad=True) * 3,
    }  # fmt: skip


def same(a, b):
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert a.dtype == b.dtype and a.shape == b.shape


def test_round_trip(tmp_path):
    saved = tensors()
    engine.save(saved, tmp_path / "a.safetensors")
    loaded = engine.load(tmp_path / "a.safetensors")
    assert sorted(loaded) == sorted(saved)
    for name, t in loaded.items():
        same(t, saved[name])
        assert t.is_contiguous() and not t.requires_grad
        t.fill_(1)  # loaded tensors own writable memory


def test_other_readers_see_the_same(tmp_path):
    from safetensors.numpy import load_file

    engine.save(tensors(), tmp_path / "a", metadata={"epoch": "3"})
    arrays = load_file(tmp_path / "a")
    for name, t in tensors().items():
        np.testing.assert_array_equal(arrays[name], t.detach().numpy())
    header_size = struct.unpack("<Q", (tmp_path / "a").read_bytes()[:8])[0]
    assert b'"epoch":"3"' in (tmp_path / "a").read_bytes()[8 : 8 + header_size]


def test_a_model_and_its_optimiser_survive(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    net(engine.randn(4, 1, 4, 4))
    engine.save(net.state_dict(), tmp_path / "net")
    fresh = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    fresh.load_state_dict(engine.load(tmp_path / "net"))
    for name, t in net.state_dict().items():
        same(fresh.state_dict()[name], t)


def test_what_is_no_tensor_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(TypeError, match=r"save\(\): entry 'b' must be a Tensor, got list"):
        engine.save({"a": engine.ones(1), "b": [1.0]}, path)
    assert path.read_bytes() == b"old"


# ---- damaged files


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "a"
    engine.save({"w": engine.ones(3, 2), "b": engine.ones(2)}, path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="is not a valid safetensors file") as error:
            engine.load(path)
        assert str(path) in str(error.value)


def header(text, data=b""):
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize("content", [
    b"", b"\0" * 8, b"\xff" * 100, b"PK\x03\x04" + b"\0" * 50, b"\x80\x04\x95" + b"\0" * 50, b"hello" * 10,
    header(b"{"), header(b"[]"), header(b"{}", b"more than the header tells"), struct.pack("<Q", 2**63) + b"{}",
    struct.pack("<Q", 2**40) + b"{}", header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"\0" * 4),
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"\0" * 8),
    header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b"\0" * 4),
    header(b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'),
    header(b'{"a":{"dtype":"XYZ","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}', b"\0" * 8),
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
    header(b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', b"\0" * 2),
    header(b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}', b"\0" * 2),
    header(b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', b"\0"),
    header(b'{"a":{"dtype":"U32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
], ids=range(22))  # fmt: skip
def test_hostile_and_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a") as error:
        engine.load(path)
    assert str(path) in str(error.value)


def test_flipped_bits_never_crash(tmp_path):
    path = tmp_path / "a"
    engine.save({"w": engine.ones(3, 2), "b": engine.ones(2)}, path)
    whole = path.read_bytes()
    for position in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(whole)
            changed[position] ^= flip
            path.write_bytes(changed)
            try:
                loaded = engine.load(path)
            except ValueError:
                continue
            assert all(type(t) is engine.Tensor for t in loaded.values())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        engine.load(tmp_path / "none")
    with pytest.raises(OSError):
        engine.load(tmp_path)


# ---- writing


def failing(name):
    def fail(*_, **__):
        raise OSError(28, f"No space left on device ({name})")

    return fail


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod", "write"])
def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, step):
    path = tmp_path / "a"
    engine.save({"w": engine.ones(1)}, path)
    before = path.read_bytes()
    if step == "write":
        real = os.fdopen

        class Full:
            def __init__(self, *args):
                self.file = real(*args)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            write = failing("write")

        monkeypatch.setattr(os, "fdopen", Full)
    else:
        monkeypatch.setattr(serialization.os, step, failing(step))
    handles = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with pytest.raises(OSError, match="No space left"):
        engine.save({"w": engine.zeros(1)}, path)
    monkeypatch.undo()
    if handles is not None:
        assert set(os.listdir("/proc/self/fd")) == handles, "a file handle was left open"
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    engine.save({"w": engine.ones(1)}, path)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(serialization.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.save({"w": engine.zeros(1)}, path)
    monkeypatch.undo()
    assert engine.load(path)["w"].tolist() == [1.0] and os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="mode bits are POSIX's")
def test_mode_bits_are_kept_and_new_files_follow_the_umask(tmp_path):
    path = tmp_path / "a"
    before = os.umask(0o027)
    try:
        engine.save({"w": engine.ones(1)}, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    engine.save({"w": engine.zeros(1)}, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604 and engine.load(path)["w"].item() == 0


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links here")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "deep").mkdir()
    engine.save({"w": engine.ones(1)}, tmp_path / "deep" / "target")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "deep" / "target")
    engine.save({"w": engine.zeros(1)}, link)
    assert link.is_symlink() and engine.load(tmp_path / "deep" / "target")["w"].item() == 0


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        engine.save({"w": engine.ones(1)}, tmp_path / "none" / "a")
    monkeypatch.chdir(tmp_path)
    engine.save({"w": engine.ones(1)}, "relative")
    assert engine.load("relative")["w"].item() == 1


def test_what_cannot_be_saved_there_says_so(tmp_path):
    state = {"a": engine.ones(2)}
    with pytest.raises(FileNotFoundError, match="there is no folder .*missing; make it first"):
        engine.save(state, tmp_path / "missing" / "x.safetensors")
    with pytest.raises(IsADirectoryError, match="it is a folder; name a file in it"):
        engine.save(state, tmp_path)
    with pytest.raises(TypeError, match=r"got Linear; use model.state_dict\(\)"):
        engine.save(engine.nn.Linear(1, 1), tmp_path / "x")
    assert not list(tmp_path.iterdir())
