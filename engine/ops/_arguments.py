"""Arguments of operations: which are arrays and which parameters, given by position or by name, and of which kinds."""

from __future__ import annotations

NUMPYS_NAMES = {"axis": "dim", "keepdims": "keepdim"}  # which PyTorch takes too


def is_number(value):
    """Whether a value is a Python number, one of NumPy's or a Tensor without dimensions."""
    return isinstance(value, (int, float)) or (getattr(value, "shape", None) == () and hasattr(value, "item"))


KINDS = {  # of a parameter by its default: whether a value is of that kind
    "a bool": lambda value: isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b",
    "a number": is_number,
}
_BY_TYPE = dict(zip((bool, float), KINDS, strict=True))


def of_wrong_kind(name, argument, kind, value):
    return TypeError(f"{name}(): argument {argument!r} must be {kind}, got {value!r}")


def not_a_tensor(name, argument, value):
    fix = "use engine.from_numpy(array)" if hasattr(value, "__array_interface__") else "use engine.tensor(value)"
    return TypeError(f"{name}(): argument {argument!r} must be a Tensor, got {type(value).__name__}; {fix}")


def rename(kwargs, aliases):
    """Give the arguments in `kwargs` that go by an alias their own name."""
    for alias, own in aliases.items():
        if alias in kwargs:
            if own in kwargs:
                raise TypeError(f"got both {alias!r} and {own!r}, which are the same argument")
            kwargs[own] = kwargs.pop(alias)


def binder(name, arrays, params, aliases):
    """bind(args, options): the arguments for `arrays`, None for absent ones. All others stay in, or move to, `options`."""
    names = [p.name for p in arrays]
    param_names = [p.name for p in params]
    n, most = len(arrays), len(arrays) + len(params)
    required = sum(p.default is p.empty for p in arrays)
    kinds = {p.name: (type(p.default), _BY_TYPE[type(p.default)]) for p in params if type(p.default) in _BY_TYPE}

    def bind(args, options):
        if options:
            rename(options, aliases)
        if len(args) > most:
            raise TypeError(f"{name}() takes at most {most} arguments, got {len(args)}")
        given = args[n:]
        if given:
            if not options.keys().isdisjoint(param_names[: len(given)]):
                twice = next(key for key in param_names if key in options)
                raise TypeError(f"{name}() got two values for argument {twice!r}")
            options.update(zip(param_names, given, strict=False))
        inputs = args[:n]
        if len(inputs) < n:
            inputs = _completed(inputs, options)
        for key, (usual, kind) in kinds.items():
            if key in options and type(options[key]) is not usual:
                options[key] = _of_kind(name, key, kind, options[key])
        return inputs

    def _completed(inputs, options):
        """The arrays given by position, then those given by name."""
        inputs = list(inputs)
        for i in range(len(inputs), n):
            if names[i] in options:
                inputs.append(options.pop(names[i]))
            elif i < required:
                raise TypeError(f"{name}() is missing its argument {shown(names[i])!r}")
            else:
                inputs.append(None)
        return inputs

    return bind


def shown(name):
    """What the user calls an array argument."""
    return "input" if name == "x" else name


def _of_kind(name, key, kind, value):
    """The value of a parameter, which must be of that kind; NumPy's become Python's, as their dtype would spread."""
    if not KINDS[kind](value):
        raise of_wrong_kind(name, key, kind, value)
    return value if isinstance(value, (int, float)) else value.item()
