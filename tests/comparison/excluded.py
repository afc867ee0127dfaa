"""Public names that are not compared call by call, and why."""

from __future__ import annotations

REASONS = {
    "the engine's own, PyTorch has no such name; each has tests of its own": {
        "engine.ShapeError", "engine.available_backends", "engine.use_backend", "engine.empty_cache", "engine.show_config", "engine.summary",
        "engine.save_checkpoint", "engine.load_checkpoint", "Tensor.add_gradient", "optim.Lion",
        "engine.get_winograd", "engine.set_winograd", "engine.locally_connected2d", "nn.functional.locally_connected2d", "nn.LocallyConnected2d",
    },
    "half precision is refused, by name (tests/test_errors.py)": {"Tensor.half", "Tensor.bfloat16"},
    "there is no GPU, and nothing to pin memory for (tests/test_inert.py)": {"Tensor.cuda", "Tensor.pin_memory", "nn.DataParallel"},
    "settings that change nothing, or what belongs to the machine (tests/test_inert.py)": {
        "engine.compile", "engine.get_float32_matmul_precision", "engine.set_float32_matmul_precision", "engine.get_num_interop_threads",
        "engine.set_num_interop_threads", "engine.get_num_threads", "engine.set_num_threads", "engine.use_deterministic_algorithms",
        "engine.are_deterministic_algorithms_enabled", "engine.set_default_dtype", "engine.set_printoptions",
    },
    "the state of the generators, whose numbers are others (tests/test_random.py)": {
        "engine.Generator", "engine.manual_seed", "engine.seed", "engine.initial_seed", "engine.get_rng_state", "engine.set_rng_state",
    },
    "files (tests/test_serialization.py, tests/test_torch_files_torch.py)": {"engine.save", "engine.load"},
    "memory shared with others (tests/test_interchange_torch.py)": {"engine.from_dlpack", "Tensor.__array__", "Tensor.data_ptr"},
    "classes that the other names are made of": {
        "engine.Tensor", "engine.dtype", "nn.Module", "nn.UninitializedParameter", "optim.Optimizer", "optim.lr_scheduler.LRScheduler", "autograd.Variable",
    },
    "tools around the tape, which take functions (tests/test_autograd.py, tests/test_gradcheck.py)": {
        "autograd.Function", "autograd.GradcheckError", "autograd.gradcheck", "autograd.detect_anomaly", "autograd.set_detect_anomaly",
    },
    "hooks (tests/test_autograd.py, tests/test_module.py)": {
        "Tensor.register_hook", "Tensor.register_post_accumulate_grad_hook", "Tensor.retain_grad",
    },
    "shapes are plain tuples": {"engine.Size"},
    "one for each object": {"Tensor.__hash__", "Tensor.grad_fn"},
    "raised where memory runs out (tests/test_cuda.py)": {"engine.OutOfMemoryError"},
}  # fmt: skip


def reason(target):
    """Why a name is not compared; None where it is."""
    return next((why for why, names in REASONS.items() if target.label in names), None)
