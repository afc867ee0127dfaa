"""Calls of containers: a few of the things that scripts do with them, one after the other; and of Parameter."""

from __future__ import annotations

from dataclasses import dataclass

from comparison.call import Call
from comparison.draw import FLOATS
from comparison.outcome import kind
from comparison.registry import calls


def layers(lib, sizes):
    return [lib.nn.Linear(n, n + 1) if n % 2 else lib.nn.ReLU() for n in sizes]


DEEDS = {
    "Sequential": "append extend insert pop index slice delete len iterate set add times get_name",
    "ModuleList": "append extend insert pop index slice delete len iterate set add get_name",
    "ModuleDict": "set_key pop_key index_key delete_key keys items update len contains clear",
    "ParameterList": "append extend index slice len iterate set get_name",
    "ParameterDict": "set_key pop_key index_key keys items update len contains setdefault clear",
}


@dataclass
class Deeds:
    """What is done to a container, one after the other; each leaves its value or the type of its error."""

    sizes: list
    deeds: list  # (name, integer)

    def __call__(self, lib, cls, arguments, named, leaves):
        parameters = "Parameter" in cls.__name__

        def some(sizes):
            return [lib.nn.Parameter(lib.ones(n)) for n in sizes] if parameters else layers(lib, sizes)

        first = some(self.sizes)
        if cls.__name__ == "Sequential":
            box = cls(*first)
        else:
            box = cls({f"k{i}": m for i, m in enumerate(first)}) if "Dict" in cls.__name__ else cls(first)
        log = [unprefixed(repr(box))]
        for deed, i in self.deeds:
            try:
                log.append((deed, shown(lib, self.do(lib, box, deed, i, some))))
            except (KeyError, IndexError, TypeError, ValueError) as error:
                log.append((deed, kind(error).__name__))
            log.append(unprefixed(repr(box)))
        return [*log, {k: tuple(v.shape) for k, v in box.state_dict().items()}]

    def do(self, lib, box, deed, i, some):
        (one,) = some([abs(i) + 1])
        match deed:
            case "append" | "insert" | "extend" | "add" | "times" | "pop" | "delete" | "set" | "index" | "slice":
                return _listed(box, deed, i, one, some)
            case "set_key":
                box[f"k{i}"] = one
            case "pop_key":
                return box.pop(f"k{i}")
            case "index_key":
                return box[f"k{i}"]
            case "delete_key":
                del box[f"k{i}"]
            case "keys":
                return list(box.keys())
            case "items":
                return [k for k, _ in box.items()]
            case "update":
                box.update({f"k{i}": one, "new": one})
            case "contains":
                return f"k{i}" in box
            case "setdefault":
                return box.setdefault(f"k{i}", one)
            case "clear":
                box.clear()
            case "len":
                return len(box)
            case "iterate":
                return len([m for m in box])
            case "get_name":
                return box._get_name()

    def __repr__(self):
        return f"of {self.sizes} then {self.deeds}"


def _listed(box, deed, i, one, some):
    match deed:
        case "append":
            box.append(one)
        case "extend":
            box.extend(some([1, 2]))
        case "insert":
            box.insert(i, one)
        case "pop":
            return box.pop(i)
        case "index":
            return box[i]
        case "slice":
            return box[i:]
        case "delete":
            del box[i]
        case "set":
            box[i] = one
        case "add":
            return box + type(box)(*some([1])) if type(box).__name__ == "Sequential" else box + type(box)(some([1]))
        case "times":
            return box * 2


def shown(lib, value):
    return tuple(value.shape) if isinstance(value, lib.Tensor) else unprefixed(repr(value))


def unprefixed(text):
    """A repr without the library's name."""
    return text.replace("torch.", "").replace("engine.", "")


@calls(" ".join(DEEDS), "nn")
def container(draw, name):
    deeds = [(draw.pick(*DEEDS[name].split()), draw.integer(-3, 3)) for _ in range(draw.integer(1, 5))]
    return Call({}, through=Deeds([draw.integer(1, 4) for _ in range(draw.integer(0, 3))], deeds))


@calls("Parameter", "nn")
def parameter(draw, name):
    options = {"requires_grad": draw.chance(0.5)} if draw.chance(0.5) else {}
    return Call({"data": draw.tensor(draw.shape(), draw.dtype(*FLOATS), grad=False), **options}, through=_described)


def _described(lib, cls, arguments, named, leaves):
    p = cls(*arguments, **named)
    return [p.detach(), p.requires_grad, p.is_leaf, type(p).__name__, isinstance(p, lib.Tensor)]
