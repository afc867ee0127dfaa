"""No kernel asks CuPy for a name that it lacks."""

import ast
from pathlib import Path

import pytest
from stand_in.names import MODULE, SPECIAL

import engine.backends

FILES = sorted(f for kind in ("reference", "cupy") for f in (Path(engine.backends.__file__).parent / kind).glob("*.py"))


def is_xp(node):
    return (isinstance(node, ast.Attribute) and node.attr == "xp") or (isinstance(node, ast.Name) and node.id == "xp")


def names_asked_for(tree):
    """(line, name) of every `xp.name`, and of every name of NumPy's that makes a kernel."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_xp(node.value):
            yield node.lineno, node.attr
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("numpys", "_rounding", "_bits")
        ):
            if isinstance(node.args[0], ast.Constant):
                yield node.lineno, node.args[0].value


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_every_name_of_the_array_module(file):
    lacking = [
        f"line {line}: {name}" for line, name in names_asked_for(ast.parse(file.read_text())) if name not in MODULE
    ]
    assert not lacking, f"CuPy has no {lacking}"


def test_the_check_finds_what_cupy_lacks():
    tree = ast.parse("class K:\n  sin = numpys('sine')\n  def f(self, a):\n    return self.xp.errstate(self.xp.abs(a))")
    assert [(line, name) for line, name in names_asked_for(tree) if name not in MODULE] == [
        (2, "sine"),
        (4, "errstate"),
    ]


def test_every_special_function():
    asked = {
        node.attr
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_special"
    }
    assert asked and asked <= SPECIAL
