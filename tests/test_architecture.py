"""The house rules as data: who may import what, which op has which row and kernels, what no file may contain.

A rule that is not executed is a wish: every one here is checked on the syntax trees and, in C, on the include lines.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import engine.ops
from engine.backends.reference import Reference
from engine.ops._op import OPS

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sorted((ROOT / "engine").rglob("*.py"))
CYTHON = sorted((ROOT / "engine_ext").glob("*.p*[xd]"))
KERNELS = sorted((ROOT / "engine_ext" / "kernels").glob("*.*"))

# Module or package -> what it may import beside the standard library; the longest name that fits decides.
# "engine" allows `import engine` and the names found in engine/__init__.py; no package allows its neighbours.
MAY_IMPORT = {
    "engine": "engine.dtypes engine.inert engine.interchange engine.methods engine.functions engine.grad_mode engine.tape engine.tensor engine.ops engine.backends engine.generator engine.geometry numpy",
    "engine.__main__": "engine.cli",
    "engine.cli": "engine engine.cli engine.viz numpy engine.extras engine.progress engine.nn engine.optim engine.serialization engine.utils engine.vision",  # as a user would
    "engine.config": "engine engine_ext numpy",
    "engine.dtypes": "engine.backends engine.ops engine.tensor numpy",
    "engine.views": "engine.ops engine.grad_mode",
    "engine.conversion": "engine.functions engine.ops",
    "engine.linalg": "engine.ops engine.geometry",
    "engine.interchange": "engine.backends engine.functions engine.tensor numpy",
    "engine.inert": "engine.grad_mode",
    "engine.extras": "",
    "engine.progress": "engine.extras",
    "engine.cuda": "engine.backends engine.generator",
    "engine.accelerator": "engine.backends engine.cuda",
    "engine.xpu": "",
    "engine.jit": "",
    "engine.distributed": "",
    "engine.utils.dlpack": "engine.interchange",
    "engine.methods": "engine.conversion engine.dtypes engine.views engine.inert engine.interchange engine.functions engine.ops engine.tape engine.tensor",
    "engine.functions": "engine.backends engine.ops engine.tape engine.tensor",
    "engine.serialization": "engine.serialization engine.backends engine.extras engine.functions engine.generator engine.tape engine.tensor numpy",
    "engine.serialization.torch_file": "engine.serialization engine.backends engine.functions engine.nn engine.tape engine.tensor numpy",
    "engine.autograd": "engine.autograd engine.grad_mode engine.tape engine.tensor engine.ops engine.generator",
    "engine.nn.summary": "engine.nn engine.functions engine.backends engine.grad_mode engine.tape engine.geometry",  # runs models on shapes
    "engine.nn": "engine.nn engine.functions engine.generator engine.ops engine.grad_mode engine.tape engine.tensor engine.geometry",
    "engine.optim": "engine.optim engine.nn engine.ops engine.grad_mode engine.tape engine.tensor engine.backends",  # to make state
    "engine.utils": "engine engine.utils",
    "engine.utils.data": "engine engine.utils engine.generator engine.backends engine.grad_mode engine.tape engine.tensor engine_ext",
    "engine.vision": "engine engine.extras engine.vision engine.nn engine.ops engine.utils engine.generator numpy",
    "engine.vision.datasets": "engine engine.extras engine.progress engine.vision engine.ops engine.utils engine.serialization numpy",
    "engine.viz": "engine engine.autograd engine.extras engine.nn engine.progress engine.viz numpy",
    "engine.ops": "engine.ops engine.geometry engine.grad_mode engine.tape engine.tensor engine.functions",  # kernels arrive as `k`
    "engine.ops._arguments": "",
    "engine.ops._op": "engine.ops._arguments engine.grad_mode engine.tape engine.tensor engine.geometry engine.backends",  # the rules of dtypes and of mixing
    "engine.ops.random": "engine.ops engine.tape engine.tensor engine.generator engine.backends",  # makes tensors
    "engine.tensor": "engine.grad_mode engine.tape engine.backends",  # backends to place arrays
    "engine.grad_mode": "",
    "engine.tape": "",
    "engine.backends": "engine.backends engine.extras engine.geometry engine_ext numpy",
    "engine.backends.cupy": "engine.backends engine.extras engine.geometry numpy cupy",
    "engine.backends.reference": "engine.backends.reference engine.extras engine.geometry numpy",
    "engine.geometry": "engine.geometry",
    "engine.generator": "engine.backends engine.tensor",  # its state is a Tensor
    "engine.random": "engine.generator",
}
C_HEADERS = "immintrin.h math.h stddef.h stdint.h string.h sys/types.h".split()  # no Python.h, omp.h, stdlib.h (malloc)
UNSAFE_MODULES = "pickle marshal shelve dill joblib cloudpickle".split()
LONG = 400  # lines: look for a better cut


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists() or bool(list(path.parent.glob(path.name + ".pyx")))


def imported(tree):
    """Every module that a syntax tree imports: `from a import b` is a.b where that is a module, else a."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full.startswith("engine") and is_module(full) else node.module


def allowed(name):
    """What the module `name` may import."""
    rule = max(
        (r for r in MAY_IMPORT if name == r or (name.startswith(r + ".") and r != "engine")), key=len, default=None
    )
    assert rule, f"{name}: no rule says what it may import; add one to MAY_IMPORT"
    return MAY_IMPORT[rule].split()


def violations(name, source):
    for target in imported(ast.parse(source)):
        top = target.partition(".")[0]
        if top in UNSAFE_MODULES:
            yield f"{name} imports {target}: files are data, never code"
        elif top not in sys.stdlib_module_names and not any(
            target == a or (target.startswith(a + ".") and a != "engine") for a in allowed(name)
        ):
            yield f"{name} imports {target}"


@pytest.mark.parametrize("path", PYTHON, ids=module_name)
def test_imports(path):
    assert not list(violations(module_name(path), path.read_text()))


@pytest.mark.parametrize("name, source", [
    ("engine.ops.conv", "import numpy"), ("engine.ops.conv", "from engine import backends"),
    ("engine.ops.conv", "def f():\n    from engine_ext import conv"), ("engine.tensor", "from engine.ops.conv import conv2d"),
    ("engine.backends.cpu", "from engine.tensor import Tensor"), ("engine.geometry", "import numpy"),
    ("engine.nn.conv", "from engine.backends import get"), ("engine.cli.train", "from engine.tensor import wrap"),
    ("engine.backends.reference.pooling", "from engine_ext import pool"), ("engine.utils.data", "import pickle"),
])  # fmt: skip
def test_a_forbidden_import_is_found(name, source):
    assert list(violations(name, source))


def test_every_rule_has_a_module():
    assert [r for r in MAY_IMPORT if not is_module(r)] == []


# ---- the compiled part


@pytest.mark.parametrize("path", CYTHON, ids=lambda p: p.name)
def test_cython_knows_nothing_above_it(path):
    text = path.read_text()
    assert not re.search(r"^\s*(from|import|cimport)\s+engine(\s|\.)", text, re.M), "engine_ext never imports engine"
    if path.stem != "parallel":
        assert not re.search(r"\bomp_|omp\.h|import openmp|cimport openmp", text), "only parallel.pyx names OpenMP"


@pytest.mark.parametrize("path", [p for p in KERNELS if p.suffix in (".c", ".h")], ids=lambda p: p.name)
def test_kernels_include_no_python_threads_or_allocation(path):
    text = path.read_text()
    here = {p.name for p in KERNELS}
    for include in re.findall(r"^\s*#\s*include\s+(.*)$", text, re.M):
        name = include.strip().split("//")[0].split("/*")[0].strip().strip('"<>')
        known = name in (here if include.strip().startswith('"') else C_HEADERS)
        assert known, f"{path.name} includes {include.strip()}"
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    found = re.findall(
        r"\b(malloc|calloc|realloc|free|alloca|printf|pthread_\w+|omp_\w+|Py[A-Z]\w+)\s*\(|#\s*pragma\s+(omp\b)", code
    )
    assert not found


# ---- ops, rows, kernels


def test_every_op_has_a_row_and_every_row_an_op():
    import op_table

    for module in pkgutil.iter_modules(engine.ops.__path__, "engine.ops."):
        importlib.import_module(module.name)
    assert sorted(OPS) == sorted({row.name for row in op_table.ROWS})


def kernels_named(tree):
    """`name` of every `k.name` and `x._k.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            if (isinstance(owner, ast.Name) and owner.id == "k") or (
                isinstance(owner, ast.Attribute) and owner.attr == "_k"
            ):
                yield node.attr


@pytest.mark.parametrize(
    "path",
    [p for p in PYTHON if p.parent.name in ("ops", "nn", "optim") or p.stem in ("tensor", "functions")],
    ids=module_name,
)
def test_every_kernel_that_is_named_exists(path):
    missing = {name for name in kernels_named(ast.parse(path.read_text())) if not hasattr(Reference, name)}
    assert not missing, f"Reference does not define {missing}"


def test_no_kernel_of_the_reference_is_defined_twice():
    owners = {}
    for mixin in Reference.__mro__[:-1]:
        for name in vars(mixin):
            if not name.startswith("__"):
                owners.setdefault(name, []).append(mixin.__name__)
    assert not {name: where for name, where in owners.items() if len(where) > 1}


def natives():
    cpu = pytest.importorskip("engine.backends.cpu", exc_type=ImportError)
    return {name: value for name, value in vars(cpu.CPU).items() if isinstance(value, cpu.native)}


def test_every_native_kernel_replaces_one_of_the_reference():
    found = natives()
    assert len(found) > 30
    assert [name for name in found if not hasattr(Reference, name)] == []


def test_native_kernels_take_the_arguments_of_the_reference():
    def arguments(f):
        return [(p.name, p.default is not p.empty) for p in inspect.signature(f).parameters.values()]

    different = {}
    for name, kernel in natives().items():
        native, reference = arguments(kernel.function), arguments(getattr(Reference, name))[1:]
        if native != reference:
            different[name] = f"native {native}, reference {reference}"
    assert not different


# ---- what no file may contain


@pytest.mark.parametrize("path", [p for p in (*PYTHON, *CYTHON, *KERNELS, ROOT / "setup.py", ROOT / "pyproject.toml")],
                         ids=lambda p: str(p.relative_to(ROOT)))  # fmt: skip
def test_nothing_is_left_to_do(path):
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text())


@pytest.mark.parametrize("path", PYTHON, ids=module_name)
def test_nothing_is_evaluated(path):
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not [f.id for f in calls if isinstance(f, ast.Name) and f.id in ("eval", "exec", "compile", "__import__")]


@pytest.mark.parametrize(
    "path", [*PYTHON, *(p for p in CYTHON if p.suffix == ".pyx")], ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_file_tells_its_job(path):
    text = path.read_text()
    assert not text.strip() or text.lstrip().startswith(('"""', "#")), "starts with a docstring or a comment"


def test_long_files_are_listed(capsys):
    """A reminder, not a failure: files past LONG lines, where a better cut may be waiting."""
    written = (*PYTHON, *CYTHON, *KERNELS, *sorted((ROOT / "tests").glob("*.py")))
    long = [(len(p.read_text().splitlines()), str(p.relative_to(ROOT))) for p in written]
    long = sorted((item for item in long if item[0] > LONG), reverse=True)
    with capsys.disabled():
        if long:
            print(f"\n  files of more than {LONG} lines: " + ", ".join(f"{name} {n}" for n, name in long))
