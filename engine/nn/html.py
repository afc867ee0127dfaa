"""A module as a tree in HTML, for notebooks."""

from __future__ import annotations

from html import escape


def tree(module, name=""):
    """<details> for a module with children, a line for a layer; with the number of parameters of each."""
    label = f"<b>{escape(name)}</b> " if name else ""
    children = [(n, m) for n, m in module._modules.items() if m is not None]
    what = escape(module._get_name() if children else repr(module))
    count = f" <small>{_parameters(module)}</small>"
    if not children:
        return f"<div>{label}{what}{count}</div>"
    below = "".join(tree(m, n) for n, m in children)
    return (
        f'<details open><summary>{label}{what}{count}</summary><div style="margin-left:1.5em">{below}</div></details>'
    )


def _parameters(module):
    ps = [p for p in module.parameters() if not hasattr(p, "materialize")]
    total = sum(p.numel() for p in ps)
    return f"{total:,} parameters" if total else ""
