"""No kernel asks CuPy or cuDNN's frontend for a name that it lacks, nor anything that they made for one that such things lack."""

import ast
import importlib
from pathlib import Path

import pytest
from stand_in import cudnn, memory
from stand_in.names import ARRAY, BELOW, CUDNN, HELD, MAKES, MODULE, SPECIAL

import engine.backends
import engine.cuda
from benchmarks.gpu import worker_engine

FOLDER = Path(engine.backends.__file__).parent
FILES = sorted(f for kind in ("reference", "cupy") for f in (FOLDER / kind).glob("*.py")) + [
    Path(engine.cuda.__file__),
    Path(worker_engine.__file__),
]
NAMES = {
    "": MODULE | {"__version__"},
    **{place: names | HELD.get(place, set()) for place, names in BELOW.items()},
    **{f"cudnn.{place}".rstrip("."): names for place, names in CUDNN.items()},
}


def called(node):
    """What a variable, an attribute, or an element of one is called; None for other expressions."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return getattr(node, "attr", getattr(node, "id", None))


def is_xp(node):
    """Whether it is the array module: `xp`, `self.xp`, `cupy`, `_cupy()`."""
    return called(node) in ("xp", "cupy") or (isinstance(node, ast.Call) and called(node.func) == "_cupy")


def path(node, made):
    """Where below the module an expression lies, "" the module itself; None elsewhere. made: {name of a variable: path}.

    cuDNN's frontend, `self.cudnn`, is at "cudnn".
    """
    if is_xp(node):
        return ""
    if isinstance(node, ast.Attribute) and node.attr == "cudnn":
        return "cudnn"
    if isinstance(node, ast.Call):
        return MAKES.get(path(node.func, made))
    if called(node) in made:
        return made[called(node)]
    within = path(node.value, made) if isinstance(node, ast.Attribute) else None
    return None if within is None else f"{within}.{node.attr}".lstrip(".")


def variables(tree):
    """{name: path} of variables and attributes that hold what CuPy made or has."""
    made = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = zip(target.elts, node.value.elts, strict=True)
                for left, right in pairs:
                    if isinstance(right, (ast.Call, ast.Attribute)) and called(left) and path(right, made) is not None:
                        made[called(left)] = path(right, made)
    return made


def lacking(tree):
    """(line, name) of every name, of the module or below it, that CuPy lacks; and of every name of NumPy's that makes a kernel."""
    made = variables(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in NAMES.get(path(node.value, made), {node.attr}):
            yield node.lineno, node.attr
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("numpys", "_rounding", "_bits")
        ):
            if isinstance(node.args[0], ast.Constant) and node.args[0].value not in MODULE:
                yield node.lineno, node.args[0].value


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_every_name_of_the_array_module(file):
    missing = [f"line {line}: {name}" for line, name in lacking(ast.parse(file.read_text()))]
    assert not missing, f"CuPy has no {missing}"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("sin = numpys('sine')", ["sine"]),
        ("self.xp.errstate(self.xp.abs(a))", ["errstate"]),
        ("xp.linalg.expm(a)", ["expm"]),
        ("xp.cuda.runtime.memGetInfos()", ["memGetInfos"]),
        ("xp.cuda.get_current_stream().wait_for(e)", ["wait_for"]),
        ("_cupy().cuda.Stream().record().elapsed()", ["elapsed"]),
        ("self.xp, self.stream = xp, xp.cuda.Stream()\nself.stream.wait()", ["wait"]),
        ("stream = xp.cuda.Stream()\nself.events[0] = stream.record()\nself.events[1].wait()", ["wait"]),
        ("pool = xp.get_default_memory_pool()\npool.total_bytes() - pool.total()", ["total"]),
        ("xp.cuda.Device(0).mem_info + xp.cuda.Event().done + xp.cuda.runtime.CUDARuntimeError", []),
        (
            "graph = self.cudnn.pygraph()\ngraph.tensor().set_dims()\ngraph.conv_forward(self.cudnn.handle)",
            ["conv_forward", "handle", "set_dims"],
        ),
        ("note = self.cudnn.numerical_note\n[note.TENSOR_CORE, note.TENSOR_CORES]", ["TENSOR_CORES"]),
    ],
)
def test_the_check_finds_what_cupy_lacks(code, names):
    assert sorted(name for _, name in lacking(ast.parse(code))) == names


def test_every_special_function():
    asked = {
        node.attr
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_special"
    }
    assert asked and asked <= SPECIAL


def test_the_stand_in_has_nothing_of_its_own_below_cuda():
    assert set(vars(memory.cuda)) <= BELOW["cuda"]
    assert set(vars(memory.cuda.memory)) <= BELOW["cuda.memory"]
    assert set(vars(memory.cuda.runtime)) <= BELOW["cuda.runtime"]


def test_the_stand_in_has_nothing_that_cudnn_lacks():
    """So nothing that the tests run through it asks for more; arguments are held against the real one where that is at hand."""
    has = {"": cudnn.Module, "pygraph": cudnn.Graph, "Tensor": cudnn.Tensor}
    for place, within in has.items():
        assert {name for name in vars(within) if not name.startswith("_")} <= CUDNN[place]
    for name in ("data_type", "heur_mode", "numerical_note"):
        assert set(getattr(cudnn, name).__members__) <= CUDNN[name]


def test_the_lists_are_those_of_the_cudnn_at_hand():
    try:
        real = importlib.import_module("cudnn")
    except (ImportError, OSError) as error:
        pytest.skip(f"nvidia-cudnn-frontend cannot be had: {error}")
    if real.__version__ != "1.32.0":
        pytest.skip(f"cuDNN's frontend is {real.__version__}, the lists are those of 1.32.0")
    assert {name for name in real.__all__ if not name.startswith("_")} == CUDNN[""]
    for place in set(CUDNN) - {""}:
        assert {name for name in dir(getattr(real, place)) if not name.startswith("_")} == CUDNN[place], place


def test_the_lists_are_those_of_the_cupy_at_hand():
    cupy = pytest.importorskip("cupy")
    special = pytest.importorskip("cupyx.scipy.special")
    if cupy.__version__ != "14.2.0":
        pytest.skip(f"CuPy is {cupy.__version__}, the lists are those of 14.2.0")

    def public(place, within=cupy):
        for name in filter(None, place.split(".")):
            within = getattr(within, name)
        return {name for name in dir(within) if not name.startswith("_")}

    assert (public(""), public("ndarray"), public("", special)) == (MODULE, ARRAY, SPECIAL)
    for place, names in BELOW.items():
        assert (names <= public(place)) if place == "cuda.runtime" else (names == public(place)), place
