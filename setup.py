"""Builds the compiled core: the table of instruction sets, the kernels once per set, the Cython modules.

Environment: ENGINE_ISAS=baseline,avx2 limits the instruction sets; ENGINE_DEBUG=1 builds with bounds checks and the
address and undefined-behaviour sanitizers (run with LD_PRELOAD=libasan.so); CC picks the compiler.
"""

import glob
import os
import platform
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

ISAS = {
    "x86_64": {
        "baseline": ["-march=x86-64"],
        "avx2": ["-march=x86-64", "-mavx2", "-mfma"],
        "avx512": ["-march=x86-64", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
    },
    "aarch64": {"neon": []},  # part of the base architecture
}
MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
DEBUG = os.environ.get("ENGINE_DEBUG", "0") not in ("", "0")
SANITIZE = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
KERNEL_FLAGS = ["-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden",
                "-Wall", "-Wno-unknown-pragmas", "-Wno-psabi", *(SANITIZE if DEBUG else ["-O3", "-g0"])]  # fmt: skip
GLUE_FLAGS = ["-Werror=incompatible-pointer-types", *(SANITIZE if DEBUG else ["-O2", "-g0"])]
LINK_FLAGS = ["-fsanitize=address,undefined"] if DEBUG else []
OPENMP = "#include <omp.h>\nint main(void) { return omp_in_parallel(); }\n"
WRAP = ["-Wl,--wrap=GOMP_parallel"]  # GCC's start of a team, and parallel.pxd's before it
WRAPPER = "void __real_GOMP_parallel(void);\nvoid __wrap_GOMP_parallel(void) { __real_GOMP_parallel(); }"
KERNEL_FILES = sorted(glob.glob("engine_ext/kernels/*"))
SOURCES = sorted(glob.glob("engine_ext/*.pyx"))
if not SOURCES:
    raise SystemExit("no Cython sources: run setup.py from the folder it lies in, with engine_ext beside it")
CONTRACT = [f for f in KERNEL_FILES if f.endswith(("kernels.h", "kernels.def"))]


def chosen_isas():
    """The instruction sets to build: all of this machine's, or those that ENGINE_ISAS lists."""
    known = ISAS.get(MACHINE, {"generic": []})
    wanted = [s for s in os.environ.get("ENGINE_ISAS", "").split(",") if s] or list(known)
    unknown = [s for s in wanted if s not in known]
    if unknown:
        raise SystemExit(f"ENGINE_ISAS names {', '.join(unknown)}; for {MACHINE} there are: {', '.join(known)}")
    return {isa: known[isa] for isa in known if isa in wanted}


def newer(sources, target):
    """Whether the file `target` is missing or older than one of `sources`."""
    return not os.path.exists(target) or any(os.path.getmtime(s) > os.path.getmtime(target) for s in sources)


class BuildExt(build_ext):
    """build_ext that probes the compiler once and compiles kernels/table.c once per instruction set."""

    def build_extensions(self):
        if DEBUG:
            self.force = True
        self.isas = {}
        for isa, flags in chosen_isas().items():
            if self.accepts(flags):
                self.isas[isa] = flags
            else:
                self.announce(f"WARNING: the compiler rejects {' '.join(flags)}: no kernels for {isa}", level=3)
        if not self.isas:
            raise SystemExit("no instruction set is left to build for: see the warnings above")
        openmp = self.accepts(["-fopenmp"], link=True, source=OPENMP)
        wraps = self.accepts(["-fopenmp", *WRAP], link=True, source=OPENMP + WRAPPER)
        if not openmp:
            self.announce("WARNING: the compiler has no OpenMP (no omp.h or library): one thread only", level=3)
        for ext in self.extensions:
            if openmp:
                ext.extra_compile_args = [*ext.extra_compile_args, "-fopenmp"]
                ext.extra_link_args = [*ext.extra_link_args, "-fopenmp"]
            if wraps:
                ext.define_macros = [*ext.define_macros, ("ENGINE_WRAPS_GOMP", "1")]
                ext.extra_link_args = [*ext.extra_link_args, *WRAP]
            if ext.name == "engine_ext._isa":
                ext.define_macros = [*ext.define_macros, *((f"HAVE_{isa}", "1") for isa in self.isas)]
        super().build_extensions()

    def build_extension(self, ext):
        if ext.name == "engine_ext._isa":  # the kernels are linked exactly once
            ext.extra_objects = [self.kernel_object(isa, flags) for isa, flags in self.isas.items()]
        super().build_extension(ext)

    def kernel_object(self, isa, flags):
        """The object file of all kernels for one instruction set, compiled when a source is newer."""
        folder = f"{self.build_temp}/{isa}{'-debug' if DEBUG else ''}"
        target = f"{folder}/engine_ext/kernels/table.o"
        if self.force or newer([*KERNEL_FILES, "setup.py"], target):
            self.compiler.compile(["engine_ext/kernels/table.c"], output_dir=folder, macros=[("ISA", isa)],
                                  extra_postargs=KERNEL_FLAGS + flags)  # fmt: skip
        return target

    def accepts(self, flags, link=False, source="int main(void) { return 0; }"):
        """Whether the compiler takes these flags (and, with `link`, the linker)."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "probe.c")
            path.write_text(source + "\n")
            try:
                objects = self.compiler.compile([str(path)], output_dir=folder, extra_postargs=["-Werror", *flags])
                if link:
                    self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=flags)
            except (CompileError, LinkError):
                return False
        return True


def extension(path):
    """The Extension of one .pyx; _isa also holds the kernels."""
    name = path[: -len(".pyx")].replace("/", ".")
    kernels = name == "engine_ext._isa"
    return Extension(
        name,
        [path, "engine_ext/kernels/select.c"] if kernels else [path],
        depends=["setup.py", *(KERNEL_FILES if kernels else CONTRACT)],
        include_dirs=["engine_ext/kernels", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=GLUE_FLAGS,
        extra_link_args=LINK_FLAGS,
    )


DIRECTIVES = {
    "language_level": "3", "boundscheck": DEBUG, "wraparound": False, "cdivision": True, "initializedcheck": False,
    "embedsignature": True,
}  # fmt: skip

setup(
    ext_modules=cythonize([extension(p) for p in SOURCES], compiler_directives=DIRECTIVES,
                          force=DEBUG, quiet="-q" in sys.argv),
    cmdclass={"build_ext": BuildExt},
)  # fmt: skip
