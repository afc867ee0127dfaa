"""CUDA C on the host: RawModule by way of the C++ compiler, block after block, whose threads take turns at each barrier.

The code that runs is the code of the kernels. A forgotten barrier shows, as threads run far ahead of each other.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

COMPILER = shutil.which("g++") or shutil.which("clang++")
THREADS = 4  # of a block here, whatever was asked for

SHIM = """
#include <cmath>
#include <cstdint>
#include <cstring>
#undef INFINITY
#undef NAN
using std::exp;
using std::log;
using std::sqrt;
#include <ucontext.h>
#define __global__
#define __device__ static
#define __shared__ static
struct dim3 { int x, y, z; };
static dim3 threadIdx, blockIdx, gridDim, blockDim;
static ucontext_t host, threads[BLOCK];
static bool over[BLOCK];
static void (*body)(const void *);
static const void *closure;
static float __int_as_float(int bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static void go_on()     /* with the next thread that is not over, or with the host */
{
    int from = threadIdx.x, to = from;
    do to = (to + 1) % BLOCK; while (over[to] && to != from);
    threadIdx.x = to;
    if (over[to]) swapcontext(&threads[from], &host);
    else if (to != from) swapcontext(&threads[from], &threads[to]);
}
static void __syncthreads() { go_on(); }    /* all the others run until they are here, too */
static void run() { body(closure); over[threadIdx.x] = true; go_on(); }
static unsigned long long atomicCAS(unsigned long long *at, unsigned long long expected, unsigned long long value)
{
    unsigned long long before = *at;
    if (before == expected) *at = value;
    return before;
}
template <class F> static void launch(int gx, int gy, F f)
{
    static char stacks[BLOCK][1 << 16];
    gridDim = {gx, gy, 1}, blockDim = {BLOCK, 1, 1};
    body = [](const void *f) { (*(const F *)f)(); }, closure = &f;
    for (int y = 0; y < gy; y++)
        for (int x = 0; x < gx; x++) {
            blockIdx = {x, y, 0};
            for (int t = 0; t < BLOCK; t++) {
                over[t] = false;
                getcontext(&threads[t]);
                threads[t].uc_stack.ss_sp = stacks[t];
                threads[t].uc_stack.ss_size = sizeof stacks[t];
                makecontext(&threads[t], run, 0);
            }
            threadIdx = {0, 0, 0};
            swapcontext(&host, &threads[0]);
        }
}
"""


class RawModule:
    """As cupy.RawModule: functions of `code`, compiled on first use."""

    def __init__(self, code, options):
        self.code, self.options = code, options
        self.signatures = {
            name: [a.strip() for a in self._expanded(arguments).split(",")]
            for name, arguments in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', code)
        }

    def _expanded(self, arguments):
        macros = dict(re.findall(r"#define (\w+) (i64 .*)", self.code))
        for name, text in macros.items():
            arguments = re.sub(rf"\b{name}\b", text, arguments)
        return arguments

    def get_function(self, name):
        library, arguments = _library(self.code, self.options, _drivers(self.signatures)), self.signatures[name]

        def call(grid, block, given):
            assert len(given) == len(arguments), f"{name}: {len(given)} arguments for {arguments}"
            grid = (*grid, 1)[:2]
            values = [_passed(name, a, v) for a, v in zip(arguments, given, strict=True)]
            getattr(library, f"{name}_launch")(*grid, *values)

        return call


def _drivers(signatures):
    """A function of C for each kernel, that launches it."""
    text = ""
    for name, arguments in signatures.items():
        names = ", ".join(re.search(r"\w+$", a)[0] for a in arguments)
        text += f'extern "C" void {name}_launch(int gx, int gy, {", ".join(arguments)}) '
        text += f"{{ launch(gx, gy, [=] {{ {name}({names}); }}); }}\n"
    return text


@cache
def _library(code, options, drivers):
    options = [o for o in options if not o.startswith("-DBLOCK")] + [f"-DBLOCK={THREADS}"]
    text = SHIM + code + drivers
    name = hashlib.sha256((text + repr(options)).encode()).hexdigest()[:16]
    folder = Path(tempfile.mkdtemp())
    source, built = folder / f"{name}.cpp", folder / f"{name}.so"
    source.write_text(text)
    made = subprocess.run(
        [
            COMPILER,
            "-O1",
            "-shared",
            "-fPIC",
            "-pthread",
            "-Wall",
            "-Wno-unused-function",
            *options,
            source,
            "-o",
            built,
        ],
        capture_output=True,
        text=True,
    )
    assert not made.returncode, made.stderr
    return ctypes.CDLL(str(built))


_NUMBERS = {"i64": "int64", "u64": "uint64", "u32": "uint32", "int": "int32"}


def _passed(kernel, declared, value):
    """A value as ctypes takes it, after a check that the kernel's declaration means the same."""
    pointer = "*" in declared
    if isinstance(value, np.ndarray):
        assert pointer and value.flags.c_contiguous, (
            f"{kernel}: {declared} got an array, contiguous: {value.flags.c_contiguous}"
        )
        return ctypes.c_void_p(np.ndarray.view(value, np.ndarray).ctypes.data)
    assert isinstance(value, np.generic), f"{kernel}: {declared} got a {type(value).__name__}"
    if pointer:
        assert value == 0 and value.dtype == "uint64", f"{kernel}: {declared} got {value!r}"
        return ctypes.c_void_p(None)
    expected = _NUMBERS.get(declared.split()[-2])
    assert expected is None or value.dtype == expected, f"{kernel}: {declared} got {value.dtype}"
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item())
