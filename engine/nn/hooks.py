"""Hooks of modules: callables of the user around forward and around the gradients that pass a module."""

from __future__ import annotations

from engine.tape import Handle
from engine.tensor import Tensor, mark_view, record, wrap

KINDS = ("forward_pre", "forward", "backward_pre", "backward")


class Hooks:
    """The hooks of one module, a table per kind: number -> (callable, takes keyword arguments, always called)."""

    def __init__(self):
        for kind in KINDS:
            setattr(self, kind, {})

    def __bool__(self):
        return any(getattr(self, kind) for kind in KINDS)

    def add(self, kind, hook, prepend=False, with_kwargs=False, always_call=False):
        """A handle whose `remove()` takes the hook off again; `prepend` puts it before the others."""
        table = getattr(self, kind)
        handle = Handle(table, (hook, with_kwargs, always_call))
        if prepend:
            first = table.pop(handle.id)
            others = dict(table)
            table.clear()
            table.update({handle.id: first, **others})
        return handle


def call(module, args, kwargs):
    """module.forward between its hooks."""
    hooks = module._hooks
    try:
        for hook, with_kwargs, _ in tuple(hooks.forward_pre.values()):
            changed = hook(module, args, kwargs) if with_kwargs else hook(module, args)
            if changed is not None:
                if with_kwargs:
                    args, kwargs = changed
                else:
                    args = changed if isinstance(changed, tuple) else (changed,)
        passage = _Passage(module, hooks) if hooks.backward or hooks.backward_pre else None
        if passage:
            args = passage.inputs(args)
        output = module.forward(*args, **kwargs)
    except BaseException:
        for hook, with_kwargs, always in tuple(hooks.forward.values()):
            if always:
                hook(module, args, kwargs, None) if with_kwargs else hook(module, args, None)
        raise
    for hook, with_kwargs, _ in tuple(hooks.forward.values()):
        changed = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
        output = output if changed is None else changed
    return passage.outputs(output) if passage else output


class _Passage:
    """The gradients of one call of a module: those of its outputs as they come in, those of its inputs as they leave."""

    def __init__(self, module, hooks):
        self.module, self.hooks, self.grad_output, self.watched = module, hooks, None, False

    def inputs(self, args):
        """The arguments, the Tensors among them passed through a Node that calls the backward hooks."""
        tensors = [a for a in args if isinstance(a, Tensor)]
        self.watched = any(t.requires_grad for t in tensors)
        if not self.watched:
            return args
        passed = iter(_identity("backward_hook", tensors, self._leave))
        return tuple([next(passed) if isinstance(a, Tensor) else a for a in args])

    def outputs(self, output):
        """The output, its Tensors passed through a Node that notes their gradients."""
        several = isinstance(output, (tuple, list))
        items = list(output) if several else [output]
        tensors = [t for t in items if isinstance(t, Tensor)]
        if not any(t.requires_grad for t in tensors):
            return output
        passed = iter(_identity("backward_hook", tensors, self._arrive))
        items = [next(passed) if isinstance(t, Tensor) else t for t in items]
        return type(output)(items) if several else items[0]

    def _arrive(self, gradients):
        for hook, _, _ in tuple(self.hooks.backward_pre.values()):
            gradients = _replaced(hook(self.module, gradients), gradients)
        self.grad_output = gradients
        if not self.watched:  # no input has a gradient: there is nothing to wait for
            self._call((None,))
        return gradients

    def _leave(self, gradients):
        return self._call(gradients)

    def _call(self, gradients):
        for hook, _, _ in tuple(self.hooks.backward.values()):
            gradients = _replaced(hook(self.module, gradients, self.grad_output), gradients)
        return gradients


def _replaced(changed, gradients):
    if changed is None:
        return gradients
    changed = changed if isinstance(changed, tuple) else (changed,)
    if len(changed) != len(gradients):
        raise RuntimeError(f"a backward hook returned {len(changed)} gradients, expected {len(gradients)}")
    return changed


def _identity(name, tensors, on_gradients):
    """The Tensors unchanged, behind one Node that hands their gradients, as Tensors, to `on_gradients`."""
    k = tensors[0]._k

    def vjps(gs):
        gradients = on_gradients(tuple([None if g is None else wrap(g, k) for g in gs]))
        return [None if g is None else g._array for g in gradients]

    out = record(name, k, tuple([t._array for t in tensors]), vjps, tensors)
    for passed, t in zip(out, tensors, strict=True):
        mark_view(passed, t)
    return out
