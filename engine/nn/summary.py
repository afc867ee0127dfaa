"""summary: what a model consists of and what it costs, layer by layer, without running or allocating anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from engine import backends
from engine.functions import zeros
from engine.geometry import ShapeError
from engine.grad_mode import no_grad


@dataclass(frozen=True)
class Layer:
    """One call of a layer. `macs`: multiply-adds; `bytes`: of its output; `field`: height and width of the patch of the
    input that an element of the output depends on (None: possibly all of it), `stride`: how far apart the patches of
    neighbours lie, `start`: where that of element (0, 0) begins, below 0 in the padding."""

    path: str
    kind: str
    output: tuple
    parameters: int
    macs: int
    bytes: int
    field: tuple[int, int] | None
    stride: tuple[int, int] | None
    start: tuple[int, int] | None


@dataclass
class Summary:
    """The layers in the order of their calls, and totals. `str()` gives a table, a notebook shows one.

    blocks: the modules made of layers (Sequential, residual blocks), in the order in which they ended; not in the table
    parameters, trainable: numbers of the model, each parameter counted once; macs, activation_bytes: of one pass.
    """

    input: tuple
    layers: list[Layer] = field(default_factory=list)
    blocks: list[Layer] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0
    parameter_bytes: int = 0
    macs: int = 0
    activation_bytes: int = 0

    def _table(self):
        head = ("layer", "kind", "output", "parameters", "mult-adds", "memory", "field", "stride")
        rows = [
            (
                layer.path or "model", layer.kind, _sizes(layer.output), _count(layer.parameters), _count(layer.macs),
                _memory(layer.bytes), "all" if layer.field is None else _sizes(layer.field),
                "-" if layer.stride is None else _sizes(layer.stride),
            )
            for layer in self.layers
        ]  # fmt: skip
        return head, rows

    def _totals(self):
        frozen = self.parameters - self.trainable
        return (
            f"input {_sizes(self.input)}; parameters {self.parameters:,}"
            + (f" ({frozen:,} of them frozen)" if frozen else "")
            + f" in {_memory(self.parameter_bytes)}; multiply-adds {self.macs:,}; activations {_memory(self.activation_bytes)}"
        )

    def __str__(self):
        head, rows = self._table()
        widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
        lines = [
            "  ".join(
                t.ljust(w) if i < 3 else t.rjust(w) for i, (t, w) in enumerate(zip(r, widths, strict=True))
            ).rstrip()
            for r in [head, *rows]
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, lines[1], self._totals()])

    __repr__ = __str__

    def _repr_html_(self):
        head, rows = self._table()
        body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in r) + "</tr>" for r in rows)
        top = "".join(f"<th>{c}</th>" for c in head)
        return f"<table><tr>{top}</tr>{body}</table><p>{escape(self._totals())}</p>"


def _sizes(sizes):
    return "x".join(map(str, sizes))


def _count(n):
    return f"{n:,}" if n else "-"


def _memory(n):
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000 or unit == "TB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000


def summary(model, input_size, dtype="float32") -> Summary:
    """Layers, shapes, parameters, multiply-adds, activation memory and receptive fields of `model`.

    model       a Module; its parameters are neither read nor changed, and may be on device 'meta'
    input_size  of the input with its batch axis, such as (1, 3, 32, 32), or of one image, (3, 32, 32)
    Runs forward in eval mode on shapes alone, hooks and user-written forwards included; code that looks at values
    (`.item()`, indexing by mask) cannot run so and raises RuntimeError.
    """
    sizes = tuple(input_size)
    if len(sizes) == 3:
        sizes = (1, *sizes)
    if not sizes or any(not isinstance(s, int) or s < 0 for s in sizes):
        raise ShapeError(f"summary: input_size must be sizes such as (1, 3, 32, 32), got {input_size!r}")
    result = Summary(sizes)
    for p in model.parameters():
        result.parameters += p.numel()
        result.trainable += p.numel() if p.requires_grad else 0
        result.parameter_bytes += p.numel() * p.dtype.itemsize
    with _OnShapes(model, result):
        x = zeros(sizes, dtype=dtype, device="meta")
        if len(sizes) == 4:
            x._array.field, x._array.plane = ((1, 1), (1, 1), (0, 0)), sizes[2:]
        with no_grad():
            model(x)
    return result


class _OnShapes:
    """The model on the shape backend and listening; as it was before, afterwards."""

    def __init__(self, model, result):
        self.model, self.result, self.k = model, result, backends.get("shape")

    def __enter__(self):
        self.handles: list[Any] = []
        self.tensors = [(t, t._array, t._k) for t in (*self.model.parameters(), *self.model.buffers())]
        self.modes = [(m, m.training) for m in self.model.modules()]
        self.switch = backends.use_backend("shape")
        for t, array, _ in self.tensors:
            t._array, t._k = self.k.full(array.shape, 0, array.dtype), self.k
        self.model.eval()
        for path, module in self.model.named_modules():
            is_layer = not any(True for _ in module.children())
            if is_layer or path:
                before: list[int] = []
                self.handles += [
                    module.register_forward_pre_hook(lambda m, args, before=before: before.append(self.k.macs)),
                    module.register_forward_hook(
                        lambda m, args, y, before=before, path=path, is_layer=is_layer: self._note(
                            is_layer, path, m, y, before.pop()
                        )
                    ),
                ]
        self.start = self.k.macs
        return self

    def __exit__(self, *exception):
        self.result.macs = self.k.macs - self.start
        for handle in self.handles:
            handle.remove()
        for m, training in self.modes:
            object.__setattr__(m, "training", training)
        for t, array, k in self.tensors:
            t._array, t._k = array, k
        self.switch.__exit__()

    def _note(self, is_layer, path, module, y, macs_before):
        outputs = [t for t in (y if isinstance(y, (tuple, list)) else (y,)) if hasattr(t, "_array")]
        size = sum(t.numel() * t.dtype.itemsize for t in outputs)
        patch = (getattr(outputs[0]._array, "field", None) if outputs else None) or (None, None, None)
        self.result.activation_bytes += size if is_layer else 0
        (self.result.layers if is_layer else self.result.blocks).append(
            Layer(
                path, type(module).__name__, outputs[0].shape if outputs else (),
                sum(p.numel() for p in module.parameters()), self.k.macs - macs_before, size, *patch,
            )
        )  # fmt: skip
