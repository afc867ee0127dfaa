"""The kernels compile for every instruction set with whatever compilers are at hand, and export one symbol each."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "engine_ext" / "kernels"
FLAGS = (
    "-std=gnu11 -O1 -ffp-contract=fast -fno-math-errno -fno-trapping-math -Wall -Wno-unknown-pragmas -Wno-psabi".split()
)
X86 = {
    "baseline": ["-march=x86-64"],
    "avx2": ["-march=x86-64", "-mavx2", "-mfma"],
    "avx512": ["-march=x86-64", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}
CASES = [
    *(pytest.param(cc, isa, flags, id=f"{cc}-{isa}") for cc in ("gcc", "clang") for isa, flags in X86.items()),
    pytest.param("aarch64-linux-gnu-gcc", "neon", [], id="aarch64-gcc-neon"),
]


@pytest.mark.parametrize(("compiler", "isa", "flags"), CASES)
def test_kernels_compile_without_a_warning_and_export_their_table_alone(tmp_path, compiler, isa, flags):
    if shutil.which(compiler) is None or shutil.which("nm") is None:
        pytest.skip(f"{compiler} or nm is not installed")
    if "x86-64" in flags[:1] and b"x86" not in subprocess.run([compiler, "-dumpmachine"], capture_output=True).stdout:
        pytest.skip(f"{compiler} does not compile for x86")
    out = tmp_path / "table.o"
    command = [compiler, *FLAGS, *flags, f"-DISA={isa}", f"-I{KERNELS}", "-c", KERNELS / "table.c", "-o", out]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr, result.stderr
    symbols = subprocess.run(["nm", "--defined-only", "--extern-only", out], capture_output=True, text=True).stdout
    assert [line.split()[-1] for line in symbols.splitlines()] == [f"kernels_{isa}"]


def test_no_flag_that_changes_what_arithmetic_means_or_ties_the_build_to_this_machine():
    text = (ROOT / "setup.py").read_text()
    flags = re.findall(r'"(-[fmO][\w=-]*)"', text)
    assert "-ffp-contract=fast" in flags
    assert not {"-ffast-math", "-Ofast", "-march=native", "-mtune=native"} & set(flags)
