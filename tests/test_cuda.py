"""The backend 'cuda': on a GPU where there is one, and everywhere over NumPy and the C++ compiler standing in for it."""

import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from checks import arrays_of, assert_close, run
from op_table import ROWS
from stand_in import StandIn, arrays, cuda, memory

import engine
import engine.nn.functional as F
from engine import backends, nn, optim
from engine.backends.cupy import CuPy, NoGPU, convolution, source
from engine.cli import main
from engine.utils.data import DataLoader, TensorDataset, Upload
from engine.vision import models

REFERENCE = backends.get("reference")
CASES = [pytest.param(row, sample, id=f"{row.name}-{sample!r}") for row in ROWS for sample in row.samples]


KINDS = ["stand-in", *(["GPU"] if "cuda" in backends.available() else [])]


@pytest.fixture(scope="module", params=KINDS)
def k(request):
    """The backend."""
    if request.param == "GPU":
        return backends.get("cuda")
    if cuda.COMPILER is None:
        pytest.skip("the stand-in needs a C++ compiler")
    return StandIn()


def test_on_a_gpu():
    """One line that tells whether the tests here ran on a GPU, too."""
    try:
        backends.get("cuda")
    except NoGPU as error:
        pytest.skip(str(error))


@pytest.fixture
def gpu(k, monkeypatch):
    """'cuda' is that backend."""
    real = backends.get
    monkeypatch.setattr(backends, "get", lambda name: k if name == "cuda" else real(name))
    return k


def moved(k, value):
    """Arrays on the backend, those in tuples, lists and dictionaries too."""
    if isinstance(value, dict):
        return {name: moved(k, v) for name, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(moved(k, v) for v in value)
    return k.from_numpy(np.asarray(value)) if isinstance(value, (np.ndarray, np.generic)) else value


def hosted(k, values):
    for a in values or []:
        assert a is None or type(a) is k.xp.ndarray
    return None if values is None else [None if a is None else k.to_numpy(a) for a in values]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("row", "sample"), CASES)
def test_every_operation(row, sample, dtype, k):
    outputs, gradients = run(k, row.name, moved(k, arrays_of(row, sample, dtype)), moved(k, sample.params))
    truth, true_gradients = run(REFERENCE, row.name, arrays_of(row, sample, "float64"), sample.params)
    for i, (y, t) in enumerate(zip(hosted(k, outputs), truth, strict=True)):
        assert_close(y, t, row.tolerance, f"{row.name} {sample}: output {i}")
    assert (gradients is None) == (true_gradients is None)
    for i, (d, t) in enumerate(zip(hosted(k, gradients) or [], true_gradients or [], strict=True)):
        assert (d is None) == (t is None)
        if d is not None:
            assert_close(d, t, 4 * row.tolerance, f"{row.name} {sample}: gradient {i}")


@pytest.mark.parametrize("row", [row for row in ROWS if row.convolution], ids=lambda row: row.name)
def test_convolutions_in_parts(row, k, monkeypatch):
    monkeypatch.setattr(convolution, "SCRATCH", 1)  # an image at a time
    monkeypatch.setattr(k, "_cudnn", None)
    for sample in row.samples:
        outputs, gradients = run(k, row.name, moved(k, arrays_of(row, sample, "float32")), sample.params)
        truth, true_gradients = run(REFERENCE, row.name, arrays_of(row, sample, "float64"), sample.params)
        for y, t in zip(hosted(k, outputs + gradients), truth + true_gradients, strict=True):
            assert t is None or not t.size or np.abs(y - t).max() <= 1e-4 * max(np.abs(t).max(), 1)


@pytest.mark.parametrize(("real", "tap"), [("float", "u8"), ("double", "int")])
def test_nvcc_compiles_the_kernels_without_a_warning(real, tap, tmp_path):
    compiler = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if not compiler:
        pytest.skip("no nvcc: neither on the PATH nor in /usr/local/cuda")
    macros = [f"-DReal={real}", f"-DTap={tap}", f"-DBLOCK={source.BLOCK}"]
    result = subprocess.run(
        [compiler, "-std=c++17", "-ptx", *macros, "-o", tmp_path / "kernels.ptx", Path(source.__file__).with_name("kernels.cu")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0 and not result.stderr, result.stderr


# ---- training


def small():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Dropout(0.2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 10),
    )  # fmt: skip


OPTIMISERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "plain": lambda p: optim.SGD(p, lr=0.001),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
}


def trained(device, make, shape, optimiser, steps, batch=4):
    """The losses of some steps, model and optimiser."""
    engine.manual_seed(0)
    model = make().to(device)
    opt, losses = OPTIMISERS[optimiser](model.parameters()), []
    for step in range(steps):
        engine.manual_seed(step)
        x, y = engine.randn(batch, *shape).to(device), engine.randint(0, 10, (batch,)).to(device)
        before = arrays.waits
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        assert arrays.waits == before, "a step waited for the GPU"
        losses.append(loss.detach())
    return [float(loss) for loss in losses], model, opt


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_training_as_on_the_cpu(optimiser, gpu):
    losses, model, _ = trained("cuda", small, (1, 14, 14), optimiser, 20)
    expected, on_cpu, _ = trained("cpu", small, (1, 14, 14), optimiser, 20)
    np.testing.assert_allclose(losses, expected, rtol=2e-3, atol=2e-3)
    assert all(p.device.type == "cuda" for p in model.parameters())
    if optimiser == "sgd":  # Adam's first steps have the size of lr whatever the gradient, so roundings grow
        for p, q in zip(model.parameters(), on_cpu.parameters(), strict=True):
            np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), atol=2e-3)


def test_lenet5_as_on_the_cpu(gpu):
    losses, model, _ = trained("cuda", models.lenet5, (1, 28, 28), "sgd", 20)
    expected, on_cpu, _ = trained("cpu", models.lenet5, (1, 28, 28), "sgd", 20)
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    for p, q in zip(model.parameters(), on_cpu.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), atol=1e-3)


def test_a_residual_network_as_on_the_cpu(gpu):
    """20 steps on a GPU, 2 of smaller images over the stand-in. Small steps: at a rate of 0.05 the roundings of two algorithms
    on the CPU drive losses apart by a tenth, at this one by 6e-6."""
    side, steps = (8, 2) if isinstance(gpu, StandIn) else (32, 20)
    losses, model, _ = trained("cuda", models.resnet20, (3, side, side), "plain", steps, batch=16)
    expected, on_cpu, _ = trained("cpu", models.resnet20, (3, side, side), "plain", steps, batch=16)
    np.testing.assert_allclose(losses, expected, rtol=2e-4)
    x = engine.randn(2, 3, side, side)
    model.load_state_dict(on_cpu.state_dict())
    model.eval(), on_cpu.eval()
    with engine.no_grad():
        np.testing.assert_allclose(model(x.cuda()).cpu().numpy(), on_cpu(x).numpy(), rtol=1e-3, atol=1e-3)


# ---- between devices


def test_to_and_fro(gpu):
    x = engine.tensor([1.0, 2.0], requires_grad=True)
    y = x.to("cuda")
    assert y.device.type == "cuda" and y.is_cuda and y.cuda() is y and not x.is_cuda
    assert repr(y.detach()) == "tensor([1., 2.], device='cuda:0')"
    (y * y).cpu().sum().backward()
    assert x.grad.tolist() == [2, 4] and x.grad.device.type == "cpu"
    assert engine.ones(2, device="cuda").device == y.device == engine.zeros_like(y).device
    assert y.detach().to("cpu", engine.float64).dtype == engine.float64
    assert engine.cuda.is_available() and engine.cuda.device_count() == 1 and engine.accelerator.is_available()


def test_devices_do_not_mix(gpu):
    x = engine.ones(2)
    with pytest.raises(RuntimeError, match="same device, got cuda:0 and cpu"):
        x.cuda() + x
    with pytest.raises(RuntimeError, match="same device, got c"):
        nn.Linear(2, 2)(x.cuda())
    with pytest.raises(TypeError, match=r"Use tensor.cpu\(\)"):
        x.cuda().numpy()
    with pytest.raises(RuntimeError, match="one GPU is used"):
        x.to("cuda:3")
    y = engine.zeros(2, device="cuda")
    assert y.copy_(x).tolist() == [1, 1] and y.device.type == "cuda"


def test_wrong_labels_are_told_of_when_a_value_is_read(gpu):
    scores = engine.randn(3, 4, device="cuda")
    loss = F.cross_entropy(scores, engine.tensor([0, 7, 1]).cuda())
    with pytest.raises(IndexError, match=r"cross_entropy: label 7 at position 1 is out of range for 4 classes"):
        loss.item()
    assert F.cross_entropy(scores, engine.tensor([0, 3, 1]).cuda()).item() > 0
    F.nll_loss(scores, engine.tensor([-2, 0, 0]).cuda())
    with pytest.raises(IndexError, match="nll_loss: label -2 at position 0"):
        scores.tolist()


def test_checkpoints_on_either(gpu, tmp_path):
    _, model, opt = trained("cuda", small, (1, 14, 14), "adam", 2)
    engine.save({"model": model.state_dict(), "optimiser": opt.state_dict()}, tmp_path / "run.safetensors")
    saved = engine.load(tmp_path / "run.safetensors")
    assert all(t.device.type == "cpu" for t in saved["model"].values())
    for device in ("cpu", "cuda"):
        again = small().to(device)
        again.load_state_dict(saved["model"])
        resumed = OPTIMISERS["adam"](again.parameters())
        resumed.load_state_dict(saved["optimiser"])
        x, y = engine.ones(2, 1, 14, 14).to(device), engine.tensor([1, 2]).to(device)
        F.cross_entropy(again(x), y).backward()
        resumed.step()
        assert all(p.device.type == device for p in again.parameters())


# ---- what is missing


def test_what_to_type_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r"CuPy does not import.*pip install 'engine\[cuda13\]'"):
        CuPy()


class _Broken:
    """CuPy without a driver, or without a GPU."""

    def __init__(self, count):
        class Error(Exception):
            pass

        def get():
            if count is None:
                raise Error("cudaErrorInsufficientDriver")
            return count

        runtime = type("runtime", (), {"CUDARuntimeError": Error, "getDeviceCount": staticmethod(get)})
        self.cuda = type("cuda", (), {"runtime": runtime})


@pytest.mark.parametrize(
    ("count", "message"),
    [(None, "no working driver.*nvidia-smi"), (0, "no GPU. Check nvidia-smi and CUDA_VISIBLE_DEVICES")],
)
def test_what_to_check_without_a_driver_or_a_gpu(count, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", _Broken(count))
    with pytest.raises(RuntimeError, match=message) as caught:
        CuPy()
    assert isinstance(caught.value, ImportError)


# ---- memory and batches


def test_loading_to_the_gpu(gpu, tmp_path):
    w = engine.nn.Parameter(engine.ones(2))
    engine.save({"w": w, "deep": [(engine.zeros(1, dtype="int64"), "text")]}, tmp_path / "a")
    for place in ("cuda", "cuda:0", engine.device("cuda"), {"cpu": "cuda:0"}):
        data = engine.load(tmp_path / "a", map_location=place)
        assert data["w"].device == "cuda:0" and (data["w"] * 3).tolist() == [3, 3]
        assert data["deep"][0][0].device == "cuda:0" and data["deep"][0][1] == "text"
    for place in (None, "cpu", {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert engine.load(tmp_path / "a", map_location=place)["w"].device == "cpu"
    with pytest.raises(RuntimeError, match="one GPU is used"):
        engine.load(tmp_path / "a", map_location="cuda:1")


def test_generators_of_the_gpu_draw_the_same_numbers(gpu):
    generator = engine.Generator(device="cuda").manual_seed(3)
    assert generator.device == "cuda:0" and generator.get_state().device == "cpu"
    drawn = engine.rand(5, generator=generator, device="cuda")
    assert drawn.tolist() == engine.rand(5, generator=engine.Generator().manual_seed(3)).tolist()
    again = pickle.loads(pickle.dumps(generator))
    assert again.device == "cuda:0" and again.next_key() == generator.next_key()


def test_memory_that_runs_out(gpu, monkeypatch):
    if isinstance(gpu, StandIn):
        monkeypatch.setattr(memory.pool, "size", 1000)
        many, figures = (
            2000,
            r"8000 bytes were asked for; of the GPU's 11.0 MiB, 7.0 MiB are free.*5.0 MiB, 3.0 MiB of them",
        )
    else:
        many, figures = 1 << 44, "were asked for; of the GPU's"
    assert issubclass(engine.cuda.OutOfMemoryError, RuntimeError)
    assert engine.OutOfMemoryError is engine.cuda.OutOfMemoryError
    x = engine.ones(1, device="cuda")
    with pytest.raises(engine.OutOfMemoryError, match=f"{figures}.*smaller batch.*engine.cuda.empty_cache"):
        gpu.xp.empty(many, "float32")
    assert (x + x).tolist() == [2]
    if isinstance(gpu, StandIn):
        with pytest.raises(engine.cuda.OutOfMemoryError, match="8000 bytes"):
            engine.zeros(2000).cuda()
        with pytest.raises(engine.cuda.OutOfMemoryError, match="smaller batch"):
            F.relu(engine.ones(900, dtype="int8").cuda().float())


def batches_of(*sizes):
    """Batches of floats and labels, unlike each other."""
    return [(engine.arange(n).float() + 100 * i, {"label": engine.full((n,), i)}) for i, n in enumerate(sizes)]


def test_batches_go_up_in_order(gpu):
    batches = batches_of(5, 2, 9, 0, 7, 3, 3, 1)
    upload = Upload(batches, "cuda")
    assert len(upload) == 8
    for _ in range(2):
        for expected, (x, rest) in zip(batches, upload, strict=True):
            assert x.device == rest["label"].device == "cuda:0" and x.dtype == expected[0].dtype
            assert x.tolist() == expected[0].tolist() and rest["label"].tolist() == expected[1]["label"].tolist()
    assert [x.device for x, _ in Upload(batches, "cpu")] == ["cpu"] * 8


def test_a_buffer_is_written_to_when_its_copy_is_over(gpu):
    lane = gpu.lane(1)
    sent = [lane.send([np.full(3, i)]) for i in range(3)]
    for i, ((copy,), event) in enumerate(sent):
        lane.receive(event)
        assert copy.tolist() == [i] * 3
    lane.close()


def test_an_error_of_the_loader_comes_in_its_place(gpu):
    asked = []

    def loader():
        for i, batch in enumerate(batches_of(1, 1, 1, 1)):
            asked.append(i)
            yield batch
        raise ValueError("the fifth")

    seen = []
    with pytest.raises(ValueError, match="the fifth"):
        for x, _ in Upload(loader(), "cuda"):
            seen.append(x.tolist())
            assert len(asked) == min(len(seen) + 2, 4)  # two ahead, and no more
    assert seen == [[0], [100], [200], [300]]


def test_leaving_early_leaves_nothing_under_way(gpu, monkeypatch):
    lanes, lane = [], gpu.lane
    monkeypatch.setattr(gpu, "lane", lambda turns: lanes.append(lane(turns)) or lanes[-1])
    loader = DataLoader(TensorDataset(engine.arange(40).float()), batch_size=2, num_workers=2)
    before = threading.active_count()
    steps = iter(Upload(loader, "cuda"))
    assert next(steps)[0].tolist() == [0, 1]
    if isinstance(gpu, StandIn):
        log = [what for what, _ in lanes[0].stream.log]
        assert log == ["wait", "copy"] * 3  # never into memory that the computation still uses
        assert lanes[0].stream.done == 2
    steps.close()
    if isinstance(gpu, StandIn):
        assert lanes[0].stream.done == len(lanes[0].stream.log)
    del steps
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


# ---- the command line


def test_training_from_the_command_line(gpu, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "digits", "--epochs", "1", "--device", "cuda", "--out", str(out)]) == 0
    assert "device cuda" in capsys.readouterr().out
    saved = engine.load(next(out.glob("model*")))
    tensors = [t for t in saved.values() if isinstance(t, engine.Tensor)]
    assert tensors and all(t.device == "cpu" for t in tensors)
    assert main(["train", "--resume", str(out), "--device", "cpu"]) == 0


def test_training_without_a_gpu_says_what_is_missing_in_a_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(backends, "get", lambda name, real=backends.get: CuPy() if name == "cuda" else real(name))
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["train", "digits", "--device", "cuda", "--out", str(tmp_path / "run")]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "error: --device: device 'cuda' is not available" in text and "pip install" in text
    assert not (tmp_path / "run").exists()
