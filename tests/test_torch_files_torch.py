"""PyTorch's own files, written by PyTorch, equal to what PyTorch reads from them; and back."""

import io

import numpy as np
import pickles
import pytest

import engine
from engine import serialization

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        wide = theirs.detach()
        wide = wide.float() if wide.dtype in (torch.half, torch.bfloat16) else wide
        np.testing.assert_array_equal(ours.detach().numpy(), wide.numpy())
        assert ours.dtype == wide.numpy().dtype and tuple(ours.shape) == tuple(theirs.shape)
        assert ours.requires_grad == theirs.requires_grad
        assert isinstance(ours, engine.nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    elif isinstance(theirs, (torch.dtype, torch.device)):
        assert str(theirs).removeprefix("torch.") == str(ours)
    else:
        np.testing.assert_equal(ours, theirs)


def written(obj, zipped):
    f = io.BytesIO()
    torch.save(obj, f, _use_new_zipfile_serialization=zipped)
    return f.getvalue()


def check(obj, zipped):
    ours = engine.load(io.BytesIO(written(obj, zipped)))
    same(ours, obj)
    return ours


@FORMATS
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_layout(dtype, zipped):
    torch.manual_seed(0)
    x = (torch.randn(4, 5, 6) * 3).to(getattr(torch, dtype))
    check({"x": x, "t": x.transpose(0, 2), "slice": x[1:, ::2, 3], "scalar": x[0, 0, 0], "empty": x[:0], "last": x[-1:],
           "expanded": x[:1].expand(7, 5, 6), "again": x, "cl": x[None].contiguous(memory_format=torch.channels_last)}, zipped)  # fmt: skip


@FORMATS
def test_a_checkpoint_with_everything(zipped):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 2)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 3)
    net(torch.randn(3, 1, 4, 4)).sum().backward()
    opt.step()
    ours = check({
        "epoch": 3, "state_dict": net.state_dict(), "optimizer": opt.state_dict(), "scheduler": scheduler.state_dict(), "lr": 1e-3,
        "best": float("inf"), "args": {"name": "ü", "sizes": (1, [2, None]), "big": 2**70, "set": {1, "a"}, "bytes": b"\0\xff"},
        "parameter": net[0].weight, "size": net[0].weight.shape, "device": torch.device("cpu"), "dtype": torch.float64,
        "rng": torch.get_rng_state(), "f": np.float64(2.5), "i": np.int64(-7), "array": np.arange(6).reshape(2, 3).T,
    }, zipped)  # fmt: skip
    twin = engine.nn.Sequential(
        engine.nn.Conv2d(1, 4, 3), engine.nn.BatchNorm2d(4), engine.nn.Flatten(), engine.nn.Linear(16, 2)
    )
    twin.load_state_dict(ours["state_dict"])
    x = torch.randn(3, 1, 4, 4)
    np.testing.assert_allclose(twin(engine.from_numpy(x.numpy())).detach().numpy(), net(x).detach().numpy(), atol=1e-5)


@FORMATS
def test_tied_weights_stay_tied(zipped):
    w = torch.zeros(3)
    ours = check({"a": w, "b": w, "part": w[1:]}, zipped)
    ours["a"][1] = 5
    assert ours["b"].tolist() == [0, 5, 0] and ours["part"].tolist() == [5, 0]


@FORMATS
def test_what_is_more_than_data_is_refused_by_name(zipped):
    for obj, message in [
        (torch.nn.Linear(1, 1), "Linear"), (torch.ones(2, dtype=torch.complex64), "ComplexFloatStorage"),
        ({"a": torch.optim.SGD}, "SGD"), (torch.ones(2, dtype=torch.uint16), "uint16|_rebuild_tensor_v3"),
        (torch.ones(3).to_sparse(), "_rebuild_sparse_tensor"), (torch.ones(2, device="meta"), "_rebuild_meta_tensor_no_storage"),
    ]:  # fmt: skip
        try:
            data = written(obj, zipped)
        except Exception:
            continue  # not in this format
        with pytest.raises(serialization.FileFormatError, match=f"the file: .*({message})"):
            engine.load(io.BytesIO(data))


def test_a_torchscript_archive_is_refused(tmp_path):
    with pytest.warns(DeprecationWarning):
        torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / "a.pt"))
    with pytest.raises(serialization.FileFormatError, match="a TorchScript archive, a program"):
        engine.load(tmp_path / "a.pt")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["Float", "BFloat16", "Half", "Long", "Bool"])
def test_files_put_together_by_hand_are_what_pytorch_reads(order, kind):
    """PyTorch writes its machine's byte order only; so the other one, and the hand that makes hostile files, are checked."""
    code = {"Float": "f4", "BFloat16": "u2", "Half": "f2", "Long": "i8", "Bool": "u1"}[kind]
    raw = np.array([1, 0, 1, 1, 0, 1], f"{order}{code}").tobytes()

    def entries(legacy):
        block = pickles.storage(kind, "7", 6, legacy)
        return pickles.table(
            {"a": pickles.tensor(block, (2, 3), (3, 1)), "b": pickles.tensor(block, (2,), (2,), offset=1)}
        )

    flag, system = (b"little", pickles.LITTLE) if order == "<" else (b"big", pickles.BIG)
    little = np.array([1, 0, 1, 1, 0, 1], f"<{code}").tobytes()  # as legacy files are on every machine
    for data in (
        pickles.torch_zip(pickles.whole(entries(False)), {"7": raw}, byteorder=flag),
        pickles.torch_legacy(pickles.whole(entries(True)), {"7": (6, little)}, system=system),
    ):
        same(engine.load(io.BytesIO(data)), torch.load(io.BytesIO(data), map_location="cpu"))


def test_the_published_weights(data_root):
    path = data_root / "weights" / "resnet20-12fca82f.th"
    if not path.exists():
        pytest.skip(f"no file {path}")
    theirs = torch.load(path, map_location="cpu")
    same(engine.load(path), theirs)


def test_numpy_and_torch_read_our_files(tmp_path):
    """Through safetensors, whose bytes PyTorch takes over without knowing us."""
    readers = pytest.importorskip("safetensors.numpy")
    state = engine.nn.Conv2d(2, 3, 3).state_dict()
    engine.save(state, tmp_path / "a")
    twin = torch.nn.Conv2d(2, 3, 3)
    twin.load_state_dict({n: torch.from_numpy(a) for n, a in readers.load_file(tmp_path / "a").items()})
    same(state, twin.state_dict())


def test_every_truncation_of_pytorchs_files_is_refused(tmp_path):
    for zipped in (True, False):
        data = written({"w": torch.arange(20.0), "b": torch.ones(2, dtype=torch.bfloat16), "n": 3}, zipped)
        for size in range(len(data)):
            with pytest.raises(serialization.FileFormatError):
                engine.load(io.BytesIO(data[:size]))
