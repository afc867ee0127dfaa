"""The corners of PyTorch that scripts touch: they may, nothing changes, and what cannot be had says so."""

import importlib

import numpy as np
import pytest

import engine
import engine.backends.cudnn as cudnn
from engine import nn
from engine.autograd import Variable


def test_scripts_that_ask_for_a_gpu_stay_on_the_cpu():
    assert not engine.cuda.is_available() and engine.cuda.device_count() == 0 and not engine.cuda.is_initialized()
    device = engine.device("cuda" if engine.cuda.is_available() else "cpu")
    use_accelerator = engine.accelerator.is_available()
    assert (
        not use_accelerator
        and engine.accelerator.current_accelerator() is None
        and engine.accelerator.device_count() == 0
    )
    assert engine.ones(1).to(device).cpu().device == "cpu" and not engine.backends.mps.is_available()
    assert not engine.xpu.is_available() and engine.xpu.device_count() == 0
    engine.cuda.synchronize()
    engine.cuda.empty_cache()
    assert engine.cuda.memory_allocated() == engine.cuda.max_memory_allocated() == 0
    assert not engine.distributed.is_available() and not engine.distributed.is_initialized()


def test_what_needs_a_gpu_says_that_there_is_none():
    for call in (
        lambda: engine.ones(1).cuda(),
        lambda: engine.ones(1).cuda(0),
        lambda: nn.Linear(1, 1).cuda(),
        engine.cuda.current_device,
        lambda: engine.cuda.get_device_name(0),
        lambda: engine.cuda.set_device(0),
    ):
        with pytest.raises(RuntimeError, match="device 'cuda' is not available: "):
            call()
    with pytest.raises(RuntimeError, match="there is no accelerator"):
        engine.accelerator.synchronize()
    with pytest.raises(AttributeError):
        engine.cuda.Stream  # noqa: B018


def test_seeding_a_gpu_seeds_the_generator():
    def drawn(seed):
        seed(7)
        return engine.rand(3).tolist()

    assert drawn(engine.cuda.manual_seed) == drawn(engine.cuda.manual_seed_all) == drawn(engine.manual_seed)


@pytest.mark.parametrize("name", ["cudnn", "cuda", "mps", "mkldnn"])
def test_backends_by_name(name):
    module = importlib.import_module(f"engine.backends.{name}")
    assert getattr(engine.backends, name) is module
    assert not (module.is_available() if hasattr(module, "is_available") else module.is_built())
    assert name not in engine.available_backends()


def test_switches_of_libraries():
    before = cudnn.benchmark, cudnn.deterministic
    try:
        cudnn.benchmark = engine.backends.cudnn.deterministic = True
        assert cudnn.deterministic and cudnn.version() is None and not cudnn.is_available() and cudnn.enabled
        with cudnn.flags(enabled=False):
            pass
    finally:
        cudnn.benchmark, cudnn.deterministic = before
    engine.backends.cuda.matmul.allow_tf32 = False
    with pytest.raises(AttributeError, match="module 'engine.backends' has no attribute 'nothing'"):
        engine.backends.nothing  # noqa: B018


def test_tensors_have_the_marks_of_a_cpu():
    t = engine.ones(2)
    assert not t.is_cuda and t.pin_memory() is t and not t.is_pinned() and t.cpu() is t


def test_determinism_and_precision_are_as_high_as_they_go():
    engine.use_deterministic_algorithms(True, warn_only=True)
    engine.use_deterministic_algorithms(False)
    assert engine.are_deterministic_algorithms_enabled()
    with pytest.raises(TypeError, match="mode must be a bool"):
        engine.use_deterministic_algorithms("yes")
    assert engine.get_float32_matmul_precision() == "highest"
    a, b = engine.randn(70, 70), engine.randn(70, 70)
    exact = (a @ b).tolist()
    for precision in ("medium", "high", "highest"):
        engine.set_float32_matmul_precision(precision)
        assert engine.get_float32_matmul_precision() == precision and (a @ b).tolist() == exact
    with pytest.raises(ValueError, match="one of highest, high, medium, got 'low'"):
        engine.set_float32_matmul_precision("low")
    engine.set_num_interop_threads(1)
    assert engine.get_num_interop_threads() == 1 and engine.get_num_threads() >= 1
    with pytest.raises(RuntimeError, match="positive"):
        engine.set_num_interop_threads(0)


def test_compile_gives_the_model_back():
    net = nn.Linear(2, 2)
    assert engine.compile(net) is net and engine.compile(net, mode="max-autotune", fullgraph=True) is net

    @engine.compile
    def double(x):
        return x * 2

    @engine.compile(dynamic=True)
    def triple(x):
        return x * 3

    assert double(2) == 4 and triple(2) == 6
    with pytest.raises(TypeError, match="a callable is expected, got int"):
        engine.compile(3)
    with pytest.raises(TypeError, match="unexpected keyword"):
        engine.compile(net, colour="red")


def test_inference_mode():
    w = engine.ones(2, requires_grad=True)
    with engine.inference_mode():
        assert not (w * 2).requires_grad
        with engine.inference_mode(False):
            assert (w * 2).requires_grad
        with engine.inference_mode(mode=True):
            assert not engine.is_grad_enabled()
    assert engine.is_grad_enabled()

    @engine.inference_mode()
    def called(x):
        return x * 2

    @engine.inference_mode
    def bare(x):
        return x * 2

    assert not called(w).requires_grad and not bare(w).requires_grad and (w * 2).requires_grad


def test_jit_marks_are_no_ops_and_programs_are_refused():
    net = nn.Linear(1, 1)
    assert engine.jit.script(net) is net and not engine.jit.is_scripting() and not engine.jit.is_tracing()

    @engine.jit.script
    def f(x):
        return x + 1

    @engine.jit.ignore(drop=True)
    def g(x):
        return x + 2

    @engine.jit.export
    def h(x):
        return x + 3

    assert f(1) == 2 and g(1) == 3 and h(1) == 4
    for refused in (engine.jit.trace, engine.jit.load, engine.jit.save):
        with pytest.raises(NotImplementedError, match="files hold data, not programs"):
            refused("model.pt")


def test_variable():
    t = engine.ones(2)
    v = Variable(t, requires_grad=True)
    assert v.requires_grad and not t.requires_grad and isinstance(t, Variable) and not isinstance(3, Variable)
    assert np.shares_memory(v.detach().numpy(), t.numpy()) and not Variable(t).requires_grad
    (v * 3).sum().backward()
    assert v.grad.tolist() == [3, 3]
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        Variable([1.0])


def test_data_parallel_is_the_model_under_another_name(tmp_path):
    engine.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    wide = nn.DataParallel(net, device_ids=[0, 1])
    x = engine.randn(5, 3)
    assert wide(x).tolist() == net(x).tolist() and wide.module is net and wide.device_ids == []
    assert list(wide.state_dict()) == [f"module.{key}" for key in net.state_dict()]
    assert [p is q for p, q in zip(wide.parameters(), net.parameters(), strict=True)] == [True] * 4
    engine.save(wide.state_dict(), tmp_path / "w")
    fresh = nn.parallel.DataParallel(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
    fresh.load_state_dict(engine.load(tmp_path / "w"))
    assert fresh.eval()(x).tolist() == net(x).tolist() and not fresh.module.training
    assert repr(wide).startswith("DataParallel(\n  (module): Sequential(")


def test_what_takes_several_processes_is_refused_by_name():
    from engine.nn.parallel import DistributedDataParallel

    with pytest.raises(NotImplementedError, match="DistributedDataParallel is not offered"):
        DistributedDataParallel(nn.Linear(1, 1))
    with pytest.raises(NotImplementedError, match="training by several processes is not offered"):
        engine.distributed.init_process_group("gloo")


def test_nothing_of_this_is_imported_with_the_engine():
    import subprocess
    import sys

    code = "import sys, engine; print([m for m in ('engine.cuda', 'engine.jit', 'engine.distributed', 'engine.accelerator', 'engine.xpu') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
