"""An interpreter of the data half of pickle: it builds numbers, strings, lists, tuples, dicts and sets, and nothing else.

A pickle is a program for a small stack machine. The opcodes run here are those that build data, as protocols 1 to 4
write it; every other one is refused by name. A name of a global ("module name") is looked up in a fixed table of the
caller's and nowhere else: nothing is imported, no attribute is fetched, no class of the file's choice is made. What the
table offers are `Function`s that check the types of all their arguments, and plain values.

A file is small and may ask for much, so each opcode is charged about the memory it takes, and the sum is bounded by
the size of the pickle; the result must be a tree of bounded depth whose size, with everything shared counted as often
as it is seen, is bounded too.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable

from engine.serialization.elements import FileFormatError

MAX_DEPTH = 100
_BUDGET, _SLACK = 64, 2**22  # bytes of memory per byte of pickle, and beside
_MOST_NODES = 2**20  # of the result, beside 16 per byte of pickle
_COSTS = {  # bytes, that of checking included; other opcodes 40
    "]": 320, "}": 330, "t": 320, "\x85": 320, "\x86": 320, "\x87": 320, "\x8f": 230, "R": 600, "q": 100, "r": 100, "\x94": 120,
}  # fmt: skip
_KEYS = (str, bytes, int, float, bool, type(None))  # what may be a key: nothing whose hash runs through a structure
_MARK = object()


class Part:
    """What means something within a pickle only, and is no result."""


class Function(Part):
    """A name that a pickle may call: `types` are those each argument must have, `least` how many must be there."""

    def __init__(self, call: Callable, types: tuple, least: int):
        self.call, self.types, self.least = call, types, least

    def __call__(self, name, arguments):
        fits = self.least <= len(arguments) <= len(self.types)
        if not fits or not all(map(isinstance, arguments, self.types)):
            got = ", ".join(type(a).__name__ for a in arguments[:8])
            raise FileFormatError(f"its pickle calls {name} with arguments of types ({got}), which it does not take")
        return self.call(*arguments)


class Unbuilt(Part):
    """An object between its making and the BUILD opcode that completes it: `build(state)` returns the whole one."""

    def __init__(self, build: Callable):
        self.build = build
        self.places: list[int] = []  # in the memo


class Unpickler:
    """Runs the pickle in `data` from `position` on.

    globals: "module name" -> Function or value; persistent: from a persistent id to an object; text: the encoding
    of Python 2's strings, None to leave them bytes.
    """

    def __init__(self, data: bytes, globals: dict, persistent: Callable | None = None, text: str | None = "utf-8"):
        self.data, self.globals, self.persistent, self.text = data, globals, persistent, text
        self.names = {id(value): name for name, value in globals.items()}
        self.budget = _BUDGET * len(data) + _SLACK
        self.position = 0
        self.stack: list = []
        self.memo: dict = {}

    def load(self, position: int = 0):
        """The object that the pickle at `position` describes; `self.position` is then the end of the pickle."""
        self.position = position
        self.stack.clear()
        self.memo.clear()
        while True:
            code = chr(self.take(1)[0])
            self.budget -= _COSTS.get(code, 40)
            if self.budget < 0:
                raise FileFormatError("its pickle asks for far more memory than a file of its size warrants")
            if code == ".":
                break
            run = _OPCODES.get(code)
            if run is None:
                raise FileFormatError(f"its pickle has the opcode {_name(code)}, which writers of data do not use")
            run(self)
        result = self.pop()
        if self.stack:
            raise FileFormatError(f"its pickle ends with {len(self.stack) + 1} objects on the stack, expected one")
        self.check_tree(result)
        return result

    # ---- reading
    def take(self, count):
        """The next bytes."""
        if count > len(self.data) - self.position:
            raise FileFormatError(f"its pickle is cut off: {count} more bytes announced than there are")
        self.position += count
        return self.data[self.position - count : self.position]

    def number(self, format):
        return struct.unpack(format, self.take(struct.calcsize(format)))[0]

    def counted(self, format):
        """Bytes behind their number."""
        count = self.number(format)
        if count < 0:
            raise FileFormatError(f"its pickle announces a string of {count} bytes")
        return self.take(count)

    def line(self):
        """The next line, without its end; a name or a number, so it is short."""
        end = self.data.find(b"\n", self.position, self.position + 1000)
        if end < 0:
            raise FileFormatError("its pickle is cut off within a line")
        return self.decoded(self.take(end + 1 - self.position)[:-1], "ascii")

    def decoded(self, data, encoding):
        try:
            return str(data, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError as error:
            raise FileFormatError(f"its pickle holds a string that is not {encoding} ({error.reason})") from None

    # ---- the stack
    def push(self, x):
        self.stack.append(x)

    def pop(self):
        if not self.stack or self.stack[-1] is _MARK:
            raise FileFormatError("its pickle takes an object from the stack that is not there")
        return self.stack.pop()

    def pop_to_mark(self):
        """What was pushed since the last mark."""
        items = []
        while self.stack:
            x = self.stack.pop()
            if x is _MARK:
                return items[::-1]
            items.append(x)
        raise FileFormatError("its pickle goes back to a mark that is not there")

    def top(self, *types):
        """The uppermost object, which stays; one of `types`."""
        x = self.pop()
        if types and type(x) not in types:
            raise FileFormatError(f"its pickle adds items to a {type(x).__name__}")
        self.push(x)
        return x

    # ---- what opcodes share
    def remember(self, index):
        x = self.top()
        self.memo[index] = x
        if type(x) is Unbuilt:
            x.places.append(index)

    def recall(self, index):
        if index not in self.memo:
            raise FileFormatError(f"its pickle recalls object {index}, which it has not made")
        self.push(self.memo[index])

    def set_items(self, items):
        table = self.top(dict, OrderedDict)
        if len(items) % 2:
            raise FileFormatError("its pickle gives a dict a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            table[checked_key(key)] = value

    def find(self, name):
        if name not in self.globals:
            raise FileFormatError(
                f"its pickle names {name.replace(' ', '.', 1)[:200]}, which is code or a type not read here. Files are "
                "loaded as data only; if this is a whole model, load it where it was made and save its state_dict()"
            )
        self.push(self.globals[name])

    def reduce(self):
        arguments, function = self.pop(), self.pop()
        if type(function) is not Function or type(arguments) is not tuple:
            raise FileFormatError(f"its pickle calls a {type(function).__name__}")
        self.push(function(self.names[id(function)].replace(" ", "."), arguments))

    def build(self):
        state, x = self.pop(), self.pop()
        if type(x) is Unbuilt:
            built = x.build(state)
            for index in x.places:
                self.memo[index] = built
            x = built
        elif type(x) is not OrderedDict or type(state) is not dict or set(state) - {"_metadata"}:
            raise FileFormatError(f"its pickle sets attributes of a {type(x).__name__}")
        self.push(x)  # a state_dict's _metadata tells versions of PyTorch's layers: nothing we need

    def check_tree(self, root):
        """Refuse cycles, depth, bare functions, and a result that is far larger than it looks."""
        known: dict = {}  # id -> (depth, size); None while what is below is being measured
        stack = [(root, False)]
        most = _MOST_NODES + 16 * len(self.data)
        while stack:
            x, measured = stack.pop()
            if isinstance(x, Part):
                raise FileFormatError(f"its pickle holds a bare {type(x).__name__}, a part of something")
            below = _children(x)
            if below is None or (id(x) in known and not measured and known[id(x)]):
                continue
            if not measured:
                if id(x) in known:
                    raise FileFormatError("its pickle holds a list or dict that contains itself")
                known[id(x)] = None
                stack.append((x, True))
                stack += [(child, False) for child in below]
                continue
            parts = [known.get(id(child)) or (0, 1) for child in below]
            known[id(x)] = depth, size = 1 + max((d for d, _ in parts), default=0), 1 + sum(s for _, s in parts)
            if depth > MAX_DEPTH or size > most:
                raise FileFormatError(f"its pickle is nested {depth} deep with {size} entries, far more than data has")


def checked_key(key):
    """A key of a dict, or an item of a set."""
    if type(key) not in _KEYS or (type(key) is int and not -(2**63) <= key < 2**63):
        raise FileFormatError(f"its pickle has a key of type {type(key).__name__}; expected strings or 64-bit numbers")
    return key


def _children(x):
    """What a container holds; None for anything else."""
    if type(x) in (dict, OrderedDict):
        return list(x.values())
    return x if type(x) in (list, tuple) else None


def _name(code):
    import pickletools  # for its table of names; it brings the pickle module with it

    known = pickletools.code2op.get(code)
    return known.name if known else f"0x{ord(code):02x}"


# ---- opcodes


def _whole(text):
    """What INT writes: a bool of Python 2's or a number."""
    if text in ("00", "01"):
        return text == "01"
    try:
        return int(text)
    except ValueError:
        raise FileFormatError(f"its pickle has {text[:40]!r} where a whole number is due") from None


def _add_to_set(m):
    items = m.pop_to_mark()
    m.top(set).update(map(checked_key, items))


def _append(m, items):
    m.top(list).extend(items)


def _named_by_stack(m):
    name, module = m.pop(), m.pop()
    if type(name) is not str or type(module) is not str:
        raise FileFormatError("its pickle names a global by what is no string")
    m.find(f"{module} {name}")


def _persistent(m):
    pid = m.pop()
    if m.persistent is None:
        raise FileFormatError("its pickle refers to data outside itself, which only files of PyTorch may")
    m.push(m.persistent(pid))


def _protocol(m):
    protocol = m.take(1)[0]
    if protocol > 5:
        raise FileFormatError(f"its pickle is of protocol {protocol}; 0 to 5 are known")


def _tuple_of(count):
    return lambda m: m.push(tuple([m.pop() for _ in range(count)][::-1]))


_OPCODES: dict[str, Callable] = {
    "\x80": _protocol,
    "\x95": lambda m: m.take(8),  # FRAME: the length of a block, of no use in memory
    "(": lambda m: m.push(_MARK),
    # constants, numbers, strings
    "N": lambda m: m.push(None),
    "\x88": lambda m: m.push(True),
    "\x89": lambda m: m.push(False),
    "I": lambda m: m.push(_whole(m.line())),
    "K": lambda m: m.push(m.number("<B")),
    "M": lambda m: m.push(m.number("<H")),
    "J": lambda m: m.push(m.number("<i")),
    "\x8a": lambda m: m.push(int.from_bytes(m.counted("<B"), "little", signed=True)),
    "G": lambda m: m.push(m.number(">d")),
    "X": lambda m: m.push(m.decoded(m.counted("<I"), "utf-8")),
    "\x8c": lambda m: m.push(m.decoded(m.counted("<B"), "utf-8")),
    "\x8d": lambda m: m.push(m.decoded(m.counted("<Q"), "utf-8")),
    "T": lambda m: m.push(m.decoded(m.counted("<i"), m.text) if m.text else m.counted("<i")),
    "U": lambda m: m.push(m.decoded(m.counted("<B"), m.text) if m.text else m.counted("<B")),
    "B": lambda m: m.push(m.counted("<I")),
    "C": lambda m: m.push(m.counted("<B")),
    "\x8e": lambda m: m.push(m.counted("<Q")),
    # containers
    "]": lambda m: m.push([]),
    "a": lambda m: _append(m, [m.pop()]),
    "e": lambda m: _append(m, m.pop_to_mark()),
    ")": lambda m: m.push(()),
    "t": lambda m: m.push(tuple(m.pop_to_mark())),
    "\x85": _tuple_of(1),
    "\x86": _tuple_of(2),
    "\x87": _tuple_of(3),
    "}": lambda m: m.push({}),
    "s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    "u": lambda m: m.set_items(m.pop_to_mark()),
    "\x8f": lambda m: m.push(set()),
    "\x90": _add_to_set,
    # the memo
    "q": lambda m: m.remember(m.number("<B")),
    "r": lambda m: m.remember(m.number("<I")),
    "\x94": lambda m: m.remember(len(m.memo)),
    "h": lambda m: m.recall(m.number("<B")),
    "j": lambda m: m.recall(m.number("<I")),
    # names, and what is made by them
    "c": lambda m: m.find(f"{m.line()} {m.line()}"),
    "\x93": _named_by_stack,
    "Q": _persistent,
    "R": Unpickler.reduce,
    "b": Unpickler.build,
}
