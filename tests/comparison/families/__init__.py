"""Generators of calls, one file per family of functions."""

from comparison.families import (
    activations,
    containers,
    creation,
    drawn,
    elementwise,
    indexing,
    linear,
    losses,
    models,
    modules,
    operators,
    optimisers,
    reductions,
    shapes,
    windows,
)

__all__ = [
    "activations", "containers", "creation", "drawn", "elementwise", "indexing", "linear", "losses", "models", "modules", "operators", "optimisers", "reductions", "shapes", "windows",
]  # fmt: skip
