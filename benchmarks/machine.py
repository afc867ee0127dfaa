"""The machine: what it is, its peak of multiply-adds per instruction set and thread count, its bandwidth."""

import os
import platform

import numpy

import engine
from benchmarks.results import Table
from engine_ext import _isa, machine, parallel

PLACES = ("L2", "L3", "DRAM")


def facts():
    """{name: text} of what figures depend on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "CPU": f"{cpu_model()}, {parallel.default_num_threads()[1]}",
        "instruction sets": f"{', '.join(_isa.isas())}; {_isa.isa()} unless a row says otherwise",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {numpy.__version__}, engine {engine.__version__}",
        "load before the run": f"{load:.1f} (0 is quiet)",
    }


def cpu_model():
    """The CPU's own name for itself, with family, model and stepping where the system tells them."""
    values = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                values.setdefault(key.strip(), value.strip())
    except OSError:
        pass  # not Linux
    name = values.get("model name") or platform.processor() or platform.machine()
    numbers = [
        f"{key.removeprefix('cpu ')} {values[key]}" for key in ("cpu family", "model", "stepping") if key in values
    ]
    return " ".join([name, f"({', '.join(numbers)})" if numbers else ""]).strip()


def peaks(threads, seconds):
    """Table of GFLOP/s of multiply-adds on registers, per instruction set; `threads` lists thread counts."""
    table = Table(
        "Peak of multiply-adds, GFLOP/s",
        ("instruction set", *("1 thread" if t == 1 else f"{t} threads" for t in threads)),
    )
    before = _isa.isa()
    try:
        for isa in _isa.isas():
            _isa.use_isa(isa)
            table.rows.append((isa, *(machine.fma_peak(t, seconds) for t in threads)))
    finally:
        _isa.use_isa(before)
    return table


def bandwidths(threads, seconds, sizes):
    """Table of GB/s per place, way and thread count; `sizes` are bytes of one array, of all threads together."""
    ways = ("read", "write", "copy")
    table = Table("Bandwidth, GB/s", ("place", "threads", "bytes", *ways), keys=2)
    for place, size in zip(PLACES, sizes, strict=False):
        for t in threads:
            table.rows.append(
                (place, t, f"{size >> 10} KiB", *(machine.bandwidth(size, t, way, seconds) for way in ways))
            )
    table.notes.append("A copy counts the bytes read and the bytes written.")
    return table
