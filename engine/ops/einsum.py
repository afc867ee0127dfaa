"""Sums of products written with subscripts: `einsum("bij,bjk->bik", x, y)`.

Two operands at a time, from the left: subscripts that nobody needs any more are summed away, those that both share and
the rest needs number independent products, and what remains is one matrix product.
"""

from __future__ import annotations

import math
import re

from engine.geometry import ShapeError
from engine.ops._op import expect_tensors
from engine.ops.arrange import diagonal
from engine.ops.linear import bmm_broadcast
from engine.ops.reduce import sum
from engine.ops.shape import expand, permute, reshape
from engine.tensor import Tensor

__all__ = ["einsum"]


def einsum(equation=None, *operands):
    """The sum of products that `equation` describes.

    Each letter names an axis. Axes of one letter run together and have one size (or 1, which is repeated). Letters behind
    `->` remain, in that order, the others are summed over; without `->` those remain that occur once, in alphabetical
    order. `...` stands for any axes, broadcast. A letter twice in one operand takes the diagonal.
    """
    if equation is None:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if not isinstance(equation, str):
        kind = NotImplementedError if isinstance(equation, Tensor) else TypeError
        raise kind("einsum() with lists of subscripts is not offered; write the equation as a string")
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    if not operands:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    expect_tensors("einsum", **{f"operands[{i}]": x for i, x in enumerate(operands)})
    inputs, output = _parsed(equation.replace(" ", ""), operands)
    sizes = _sizes(inputs, operands)
    terms = [_once_each(names, x, sizes) for names, x in zip(inputs, operands, strict=True)]
    names, x = terms[0]
    for i, (others, y) in enumerate(terms[1:], 2):
        needed = set(output).union(*[t for t, _ in terms[i:]])
        names, x = _product(names, x, others, y, needed, sizes)
    x, names = _without(x, names, [n for n in names if n not in output])
    return permute(x, dims=[names.index(n) for n in output])


def _parsed(equation, operands):
    """The names of every operand's axes and of the result's: letters, and numbers for what `...` stands for.

    Those are counted from the right, -1 being the last, so that they broadcast.
    """
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ShapeError(f"einsum(): {equation!r} has {len(terms)} operands, got {len(operands)}")
    for term in (*terms, right):
        if not re.fullmatch(r"[a-zA-Z]*(\.\.\.)?[a-zA-Z]*", term):
            raise ShapeError(f"einsum(): {term!r} in {equation!r} is not letters and at most one '...'")
    inputs, widest = [], 0
    for i, (term, x) in enumerate(zip(terms, operands, strict=True)):
        letters = len(term.replace("...", ""))
        free = x.ndim - letters
        if free < 0 or (free and "..." not in term):
            raise ShapeError(f"einsum(): operand {i} has shape {x.shape}, but its subscripts {term!r} number {letters}")
        widest = max(widest, free)
        inputs.append(_named(term, free))
    if arrow:
        output = _named(right, widest)
    else:
        seen = "".join(terms).replace(".", "")
        output = [*range(-widest, 0), *sorted(c for c in set(seen) if seen.count(c) == 1)]
    for name in output:
        if output.count(name) > 1:
            raise ShapeError(f"einsum(): output subscript {name!r} appears more than once in {equation!r}")
        if not any(name in names for names in inputs):
            raise ShapeError(f"einsum(): output subscript {name!r} does not appear in the inputs of {equation!r}")
    return inputs, output


def _named(term, free):
    before, dots, after = term.partition("...")
    return [*before, *range(-free, 0), *after] if dots else [*before]


def _sizes(inputs, operands):
    """Name -> size; sizes of 1 give way to others."""
    sizes = {}
    for i, (names, x) in enumerate(zip(inputs, operands, strict=True)):
        for name, n in zip(names, x.shape, strict=True):
            known = sizes.setdefault(name, n)
            if known == 1:
                sizes[name] = n
            elif n not in (1, known):
                what = "an axis of '...'" if isinstance(name, int) else f"subscript {name!r}"
                raise ShapeError(f"einsum(): {what} has size {n} in operand {i}, but {known} before")
    return sizes


def _once_each(names, x, sizes):
    """(names, Tensor) with every name once: repeated ones become a diagonal."""
    names = list(names)
    for name in [n for n in dict.fromkeys(names) if names.count(n) > 1]:
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            if x.shape[first] != x.shape[second]:
                raise ShapeError(f"einsum(): subscript {name!r} is repeated, but its sizes differ in shape {x.shape}")
            x = diagonal(x, offset=0, dim1=first, dim2=second)
            names = [n for i, n in enumerate(names) if i not in (first, second)] + [name]
    return names, expand(x, shape=[sizes[n] for n in names])


def _without(x, names, gone):
    """(Tensor, names) summed over the axes `gone`."""
    if not gone:
        return x, names
    return sum(x, dim=tuple(names.index(n) for n in gone)), [n for n in names if n not in gone]


def _product(names, x, others, y, needed, sizes):
    """(names, Tensor) of the product of two operands, summed over what is not `needed`."""
    x, names = _without(x, names, [n for n in names if n not in others and n not in needed])
    y, others = _without(y, others, [n for n in others if n not in names and n not in needed])
    batch = [n for n in names if n in others and n in needed]
    summed = [n for n in names if n in others and n not in needed]
    rows, columns = [n for n in names if n not in others], [n for n in others if n not in names]

    def matrices(t, order, groups):
        t = permute(t, dims=[order.index(n) for group in groups for n in group])
        return reshape(t, shape=[math.prod(sizes[n] for n in group) for group in groups])

    z = bmm_broadcast(matrices(x, names, (batch, rows, summed)), matrices(y, others, (batch, summed, columns)))
    out = batch + rows + columns
    return out, reshape(z, shape=[sizes[n] for n in out])
