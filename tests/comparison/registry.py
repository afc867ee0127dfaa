"""Who draws the calls of which function: one generator for all functions of a kind, found by the function's name."""

from __future__ import annotations

GENERATORS = {}  # "add", or "Tensor.where" where a surface needs its own -> generator(draw, name) -> Call


def calls(names, *surfaces):
    """Registers a generator for functions of these names, wherever they are, or on those surfaces alone."""

    def register(generator):
        for name in names.split():
            for key in [f"{s}.{name}" for s in surfaces] or [name]:
                assert key not in GENERATORS, f"two generators of {key}"
                GENERATORS[key] = generator
        return generator

    return register


def generator_of(surface, name):
    """The generator of a function, or None; that of `add` is that of `add_` too."""
    plain = name.removesuffix("_")
    for key in (f"{surface}.{name}", f"{surface}.{plain}", name, plain):
        if key in GENERATORS:
            return GENERATORS[key]
    return None
