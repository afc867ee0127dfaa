"""`show_config()`: what this installation is made of and what it found on this machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata, util

OPTIONAL = {  # extra of pip install engine[...] -> modules it brings
    "viz": ("matplotlib",),
    "vision": ("PIL",),
    "test": ("pytest", "hypothesis"),
    "cuda12, cuda13": ("cupy",),
}


def show_config() -> str:
    """A text to read or to paste into a bug report: versions, CPU, instruction sets, threads, backends."""
    import numpy

    import engine

    rows = [
        ("engine", f"{engine.__version__} in {os.path.dirname(engine.__file__)}"),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()}) at {sys.executable}"),
        ("NumPy", numpy.__version__),
        ("system", platform.platform()),
        ("CPU", _cpu_model()),
        *_compiled_rows(),
        ("backends", ", ".join(engine.available_backends())),
        *_dependency_rows(),
        *((f"extra [{extra}]", _versions(modules)) for extra, modules in OPTIONAL.items()),
        ("environment", _environment()),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _compiled_rows() -> list[tuple[str, str]]:
    """What only the compiled part knows; one row that says so when it is not there."""
    try:
        import engine_ext._isa as _isa
        import engine_ext.parallel as parallel
    except ImportError as error:
        return [("compiled part", f"missing, NumPy does everything ({error}); build it with: pip install -e .")]
    threads, reason = parallel.default_num_threads()
    openmp = "yes" if parallel.has_openmp else "NO: built without it, everything runs on one thread"
    return [
        ("CPU features", " ".join(_isa.cpu_features())),
        ("ISA compiled", ", ".join(_isa.compiled())),
        ("ISA usable here", ", ".join(_isa.isas())),
        ("ISA used", f"{_isa.isa()} (ENGINE_ISA chooses another)"),
        ("threads", f"{parallel.get_num_threads()} in use; default {threads}: {reason}"),
        ("OpenMP", openmp),
    ]


def _dependency_rows() -> list[tuple[str, str]]:
    return [("depends on", _versions(("scipy", "safetensors", "threadpoolctl", "tqdm")))]


def _versions(modules: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {_version(name)}" for name in modules)


def _version(module: str) -> str:
    """The version of a module that is installed, without importing it."""
    if util.find_spec(module) is None:
        return "not installed"
    try:
        names = metadata.packages_distributions().get(module, [module])
        return metadata.version(names[0])
    except metadata.PackageNotFoundError:
        return "found"


def _environment() -> str:
    chosen = {k: v for k, v in os.environ.items() if k.startswith(("ENGINE_", "OMP_"))}
    return " ".join(f"{k}={v}" for k, v in sorted(chosen.items())) or "no ENGINE_* or OMP_* variable set"
