"""Function: an operation with a derivative of the user's own, as `torch.autograd.Function`."""

from __future__ import annotations

from engine.grad_mode import no_grad
from engine.tensor import Tensor, mark_view, record, wrap


class Context:
    """What forward hands to backward: saved tensors, and any attribute."""

    def __init__(self, needs_input_grad):
        self.needs_input_grad = needs_input_grad
        self._saved, self._constant, self._materialize = (), (), True

    def save_for_backward(self, *tensors):
        """Keep Tensors (or None) for backward; a later in-place change of one is noticed there."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"save_for_backward can only save variables, but got {type(t).__name__}")
        self._saved = tensors

    @property
    def saved_tensors(self):
        return self._saved

    def mark_non_differentiable(self, *tensors):
        """These outputs have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value):
        """Whether backward receives zeros (default) or None for outputs without a gradient."""
        self._materialize = value


class Function:
    """Subclass it with two static methods and call `apply`:

        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 2

        y = Double.apply(x)

    `forward(ctx, *args)` returns a Tensor or a tuple of them; `backward(ctx, *gradients)` one gradient (or None)
    per argument of forward. Instead of taking ctx, forward may leave saving to `setup_context(ctx, inputs, output)`.
    """

    @staticmethod
    def forward(*args):
        raise NotImplementedError("You must implement the forward function for custom autograd.Function")

    @staticmethod
    def backward(ctx, *gradients):
        raise NotImplementedError("You must implement the backward function to use your custom Function with backward")

    @classmethod
    def apply(cls, *args):
        """Run forward on `args` and record its derivative."""
        inputs = tuple(a if isinstance(a, Tensor) else None for a in args)
        ctx = Context(tuple(t is not None and t.requires_grad for t in inputs))
        with no_grad():
            if "setup_context" in vars(cls):
                outputs = cls.forward(*args)
                cls.setup_context(ctx, args, outputs)
            else:
                outputs = cls.forward(ctx, *args)
        several = isinstance(outputs, (tuple, list))
        results = tuple(outputs) if several else (outputs,)
        for i, t in enumerate(results):
            if not isinstance(t, Tensor):
                raise TypeError(f"{cls.__name__}.forward must return Tensors, but output {i} is {type(t).__name__}")
        k = results[0]._k
        arrays = tuple(t._array for t in results)
        made = record(cls.__name__, k, arrays, _derivative(cls, ctx, inputs, results), inputs)
        for out, t in zip(made, results, strict=True):
            if any(t is x for x in inputs):
                mark_view(out, t)
            if any(t is c for c in ctx._constant):
                out._node = None
        return made if several else made[0]


def _derivative(cls, ctx, inputs, results):
    """The one callable of the Node: gradients of the outputs in, gradients of all inputs out."""
    saved = tuple(t._array for t in ctx._saved if t is not None)  # held so that the tape sees in-place changes of them
    like = tuple((t.shape, t.dtype, t._k) for t in results)
    shapes = tuple(None if t is None else (t.shape, t.dtype) for t in inputs)

    def vjps(gs):
        assert saved is not None
        given = []
        for g, (shape, dtype, k) in zip(gs, like, strict=True):
            if g is None and ctx._materialize:
                g = k.full(shape, 0, dtype)
            given.append(None if g is None else wrap(g, k))
        with no_grad():
            gradients = cls.backward(ctx, *given)
        gradients = tuple(gradients) if isinstance(gradients, (tuple, list)) else (gradients,)
        if len(gradients) < len(shapes) or any(g is not None for g in gradients[len(shapes) :]):
            raise RuntimeError(
                f"function {cls.__name__}Backward returned an incorrect number of gradients "
                f"(expected {len(shapes)}, got {len(gradients)})"
            )
        return [_checked(cls, i, g, expected) for i, (g, expected) in enumerate(zip(gradients, shapes, strict=False))]

    return vjps


def _checked(cls, i, g, expected):
    """The array of the gradient that backward returned for argument i."""
    if g is None or expected is None:
        return None
    if not isinstance(g, Tensor):
        raise TypeError(f"{cls.__name__}.backward must return Tensors or None, got {type(g).__name__} for argument {i}")
    shape, dtype = expected
    if g.shape != shape:
        raise RuntimeError(
            f"Function {cls.__name__}Backward returned an invalid gradient at index {i} - "
            f"got {g.shape} but expected shape compatible with {shape}"
        )
    return g._k.cast(g._array, dtype)
