"""Hostile pickles, bare, in zip archives and in legacy files: each is an error, nothing runs, little memory is taken."""

import os
import pickle
import pickletools
import struct

import pytest
from hostile import HUGE, READERS, data_only, from_bytes, harmless, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from pickles import (
    DICT,
    FALSE,
    HOOKS,
    LEGACY_MAGIC,
    LEGACY_PROTOCOL,
    LIST,
    LITTLE,
    MARK,
    NONE,
    TRUE,
    TUPLE0,
    call,
    name,
    number,
    several,
    sizes,
    storage,
    table,
    tensor,
    text,
    torch_legacy,
    torch_zip,
    whole,
)  # fmt: skip

import engine
from engine import nn
from engine.serialization import FileFormatError, read_pickle

assert READERS


# ---- pickles: what is no data


class Evil:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


def laughs(levels, width):
    """Lists of lists of the same lists: small, and enormous to look at."""
    pickled = LIST + b"q\x00"
    for i in range(levels):  # the list before stays below on the stack, and is dropped into the next
        pickled += b"q" + bytes([i]) + LIST + b"q" + bytes([i + 1]) + MARK + (b"h" + bytes([i])) * width + b"e"
    return MARK + pickled + b"t"


def numpy_array(shape, code=b"f4", data=b"\0" * 8, fortran=FALSE, state=None, version=1):
    dtype = call(name("numpy", "dtype"), b"U" + bytes([len(code)]) + code, FALSE, TRUE)
    dtype += several(number(3), text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0)) + b"b"
    array = call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), sizes([0]), b"U\x01b")
    raw = b"B" + struct.pack("<I", len(data)) + data
    return array + (state if state is not None else several(number(version), sizes(shape), dtype, fortran, raw)) + b"b"


CODE = {
    "os.system": pickle.dumps(Evil(os.system, "touch /tmp/executed"), 2), "protocol 0": pickle.dumps(Evil(os.system, "true"), 0),
    "protocol 4": pickle.dumps(Evil(os.system, "true"), 4), "eval": pickle.dumps(Evil(eval, "1"), 2), "getattr": pickle.dumps(Evil(getattr, 1, "real"), 2),
    "object": pickle.dumps(Evil(object), 2), "class": pickle.dumps(nn.Linear, 2), "engine.Tensor": pickle.dumps(engine.ones(1), 2),
    "import by name": whole(name("builtins", "__import__")), "numpy.load": whole(call(name("numpy", "load"), text("/etc/passwd"))),
    "torch.load": whole(call(name("torch", "load"), text("x"))), "dotted": whole(name("collections", "OrderedDict.__init__.__globals__")),
    "another module": whole(name("collections.abc", "OrderedDict")), "space": whole(b"ccollections OrderedDict\n\n"),
    "stack global": whole(text("os") + text("system") + b"\x93"), "stack global of numbers": whole(number(1) + number(2) + b"\x93"),
    "stack global joined": whole(text("") + text("collections OrderedDict") + b"\x93"), "newline": whole(b"cos\x00\nsystem\n"),
    "inst": b"(S'true'\nios\nsystem\n.", "obj": whole(MARK + name("collections", "OrderedDict") + b"o"),
    "newobj": whole(name("collections", "OrderedDict") + TUPLE0 + b"\x81"), "newobj_ex": whole(name("collections", "OrderedDict") + TUPLE0 + DICT + b"\x92"),
    "ext1": whole(b"\x82\x01"), "ext2": whole(b"\x83\x01\x00"), "ext4": whole(b"\x84\x01\x00\x00\x00"), "persid": b"P0\n.",
    "next buffer": whole(b"\x97"), "readonly buffer": whole(b"\x98"), "unknown opcode": whole(b"\xff"), "bytearray": whole(b"\x96" + bytes(8)),
    "call a string": whole(text("os.system") + TUPLE0 + b"R"), "call a list": whole(LIST + TUPLE0 + b"R"), "call a dtype": whole(name("torch", "float32") + TUPLE0 + b"R"),
    "call with a list": whole(name("collections", "OrderedDict") + LIST + b"R"), "call with text": whole(call(name("collections", "OrderedDict"), text("ab"))),
    "call with too much": whole(call(name("collections", "OrderedDict"), LIST, LIST)), "pairs of three": whole(call(name("collections", "OrderedDict"), LIST + TUPLE0 + b"a")),
    "encode as rot13": whole(call(name("_codecs", "encode"), text("x"), text("rot13"))), "encode as zip": whole(call(name("_codecs", "encode"), text("x"), text("zip"))),
    "encode wide": whole(call(name("_codecs", "encode"), text("€"), text("latin1"))), "bytes of n": whole(call(name("__builtin__", "bytes"), number(2**40))),
    "bare function": whole(name("collections", "OrderedDict")), "bare function in a list": whole(LIST + name("_codecs", "encode") + b"a"),
    "bare array type": whole(name("numpy", "ndarray")), "build a dict": whole(DICT + DICT + b"b"), "build a list": whole(LIST + table({"append": NONE}) + b"b"),
    "build __class__": whole(HOOKS + table({"__class__": NONE}) + b"b"), "build with slots": whole(HOOKS + several(NONE, DICT) + b"b"),
    "build a function": whole(name("collections", "OrderedDict") + DICT + b"b"),
}  # fmt: skip


@pytest.mark.parametrize("case", CODE)
def test_pickles_that_ask_for_more_than_data(case):
    pickled = CODE[case]
    refused(pickled, read=read_pickle)
    refused(torch_zip(pickled, {}))
    refused(LEGACY_MAGIC + LEGACY_PROTOCOL + LITTLE + pickled + whole(LIST))
    refused(LEGACY_MAGIC + pickled)


def test_the_message_names_what_was_asked_for():
    refused(torch_zip(CODE["os.system"], {}), r"the file: its pickle names (posix|os|nt)\.system, which is code")
    refused(CODE["newobj"], "the opcode NEWOBJ", read=read_pickle)
    refused(CODE["unknown opcode"], "the opcode 0xff", read=read_pickle)


MACHINE = {
    "empty": b"", "no stop": b"\x80\x02N", "nothing": b".", "two objects": whole(NONE + NONE), "only a mark": whole(MARK), "protocol 9": b"\x80\x09N.",
    "underflow append": whole(b"a"), "underflow setitem": whole(NONE + b"s"), "underflow tuple": whole(NONE + b"\x87"), "underflow reduce": whole(TUPLE0 + b"R"),
    "underflow memo": whole(b"q\x00"), "underflow global": whole(b"\x93"), "pop the mark": whole(MARK + NONE + b"\x86"), "no mark": whole(NONE + b"e"),
    "no such memo": whole(b"h\x05"), "no such long memo": whole(b"j\xff\xff\xff\xff"), "append to a tuple": whole(TUPLE0 + NONE + b"a"),
    "append to a dict": whole(DICT + NONE + b"a"), "set in a list": whole(LIST + NONE + NONE + b"s"), "odd items": whole(DICT + MARK + NONE + b"u"),
    "key of a list": whole(DICT + LIST + NONE + b"s"), "key of a tuple": whole(DICT + TUPLE0 + NONE + b"s"), "add to a list": whole(LIST + MARK + NONE + b"\x90"),
    "key of many bits": whole(DICT + number(2**70) + NONE + b"s"), "set of lists": whole(b"\x8f" + MARK + LIST + b"\x90"),
    "text of 4 GB": whole(b"X\xff\xff\xff\xff"), "text of 2**64": whole(b"\x8d" + b"\xff" * 8), "bytes of 2**63": whole(b"\x8e" + b"\0" * 7 + b"\x80"),
    "negative text": whole(b"T\xff\xff\xff\xff"), "not utf-8": whole(b"X\x01\0\0\0\xff"), "long line": whole(b"I" + b"1" * 5000 + b"\n"), "odd number": whole(b"Iabc\n"),
    "global without end": whole(b"cos"), "global of bytes": whole(b"c\xff\n\xff\n"), "text protocol": b"(lp0\nI1\na.", "long": whole(b"L1L\n"), "long4": whole(b"\x8b\0\0\0\x10"),
    "pop": whole(NONE + NONE + b"0"), "dup": whole(NONE + b"2" + b"\x86"), "list in itself": whole(LIST + b"q\x00" + b"h\x00" + b"a"),
    "dict in itself": whole(DICT + b"q\x00" + NONE + b"h\x00" + b"s"), "deep lists": whole(LIST * 5000 + b"a" * 4999), "deep tuples": whole(TUPLE0 + b"\x85" * 100_000),
    "laughs": whole(laughs(60, 10)), "many laughs": whole(laughs(200, 50)), "many sets": whole(LIST + b"\x8fa" * 100_000), "many memos": whole(NONE + b"\x94" * 300_000),
    "many ordered dicts": whole(LIST + b"q\x00" + name("collections", "OrderedDict") + b"q\x01" + b"0" + b"h\x01)Ra" * 100_000),
    "many ordered dicts kept": whole(LIST + MARK + name("collections", "OrderedDict") + b"q\x01)R" + b"h\x01)R" * 100_000 + b"e"),
    "trailing": whole(NONE) + b"N.",
}  # fmt: skip


@pytest.mark.parametrize("case", MACHINE)
def test_pickles_that_misuse_the_machine(case):
    pickled = MACHINE[case]
    refused(pickled, read=read_pickle)
    if case != "trailing":  # an entry's end is the entry's
        refused(torch_zip(pickled, {}))
        if pickled:
            refused(LEGACY_MAGIC + LEGACY_PROTOCOL + LITTLE + pickled + whole(LIST))


def test_every_opcode_in_every_place():
    """No opcode, with too little or with the wrong things on the stack, is anything but data or an error."""
    stacks = [b"", NONE, MARK, LIST, DICT, TUPLE0, name("collections", "OrderedDict"), text("x"), MARK + NONE, DICT + NONE + NONE,
              name("collections", "OrderedDict") + TUPLE0, HOOKS + DICT, name("numpy", "dtype") + several(text("f4"), FALSE, TRUE), number(7),
              storage("Float", "0", 1)]  # fmt: skip
    tried = 0
    with harmless():
        for opcode in pickletools.opcodes:
            for stack in stacks:
                for argument in (b"", b"\0", b"\x01\0\0\0", b"\xff" * 8, b"os\nsystem\n", b"1\n", b"\x05hello\0\0\0"):
                    pickled = whole(stack + opcode.code.encode("latin1") + argument)
                    for read in (read_pickle, lambda p: from_bytes(torch_zip(p, {"0": b"\0" * 4}))):
                        tried += 1
                        try:
                            read(pickled)
                        except FileFormatError:
                            pass
    assert tried > 10_000


NUMPY = {
    "object": numpy_array([2], b"O8"), "void": numpy_array([2], b"V4"), "text": numpy_array([2], b"S4"), "a comma": numpy_array([2], b"f4,f4"),
    "too little": numpy_array([3]), "too much": numpy_array([1]), "negative": numpy_array([-2]), "wraps": numpy_array([2**62, 4]), "zero times huge": numpy_array([0, 2**62], data=b""),
    "nested shape": numpy_array([], state=several(number(1), several(several(number(2))), NONE, FALSE, NONE)), "state of none": numpy_array([], state=NONE),
    "many dimensions": numpy_array([1] * 100), "unbuilt": call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), sizes([0]), b"U\x01b"),
    "no array type": call(name("numpy.core.multiarray", "_reconstruct"), name("collections", "OrderedDict"), sizes([0]), b"U\x01b"),
    "bare dtype": call(name("numpy", "dtype"), text("f4"), FALSE, TRUE), "dtype of a dict": call(name("numpy", "dtype"), DICT, FALSE, TRUE), "version": numpy_array([2], version=7),
    "scalar of none": call(name("numpy.core.multiarray", "scalar"), NONE, NONE), "built twice": numpy_array([2]) + DICT + b"b",
    "dtype with fields": call(name("numpy", "dtype"), text("f4"), FALSE, TRUE) + several(number(3), text("<"), NONE, several(text("a")), DICT, number(4), number(1), number(0)) + b"b",
    "dtype of no order": call(name("numpy", "dtype"), text("f4"), FALSE, TRUE) + several(number(3), text("O"), NONE, NONE, NONE, number(-1), number(-1), number(0)) + b"b",
    **{f"size {n}": numpy_array([n]) for n in HUGE},
}  # fmt: skip


@pytest.mark.parametrize("case", NUMPY)
def test_arrays_in_pickles(case):
    refused(whole(NUMPY[case]), read=read_pickle)
    refused(torch_zip(whole(NUMPY[case]), {}))


def test_the_honest_twins_are_read():
    """The hands above make files that are read when nothing is wrong with them."""
    assert read_pickle(whole(numpy_array([2]))).tolist() == [0, 0]
    assert read_pickle(whole(laughs(2, 3))) == ([], [[]] * 3, [[[]] * 3] * 3)
    assert read_pickle(whole(LIST + b"\x8fa" * 1000)) == [set()] * 1000
    data = tensor(storage("Float", "0", 2), (2,), (1,))
    assert from_bytes(torch_zip(whole(data), {"0": b"\0" * 8})).tolist() == [0, 0]
    data = tensor(storage("Float", "0", 2, True), (2,), (1,))
    assert from_bytes(torch_legacy(whole(data), {"0": (2, b"\0" * 8)})).tolist() == [0, 0]


# ---- tensors and their storages


BLOCK, OLD = storage("Float", "0", 4), storage("Float", "0", 4, True)
HOOKED = call(name("collections", "OrderedDict"), LIST + several(number(1), number(2)) + b"a")


def tensors(block):
    yield from (tensor(block, (n,), (1,)) for n in (5, *HUGE))
    yield from (tensor(block, (2,), (n,)) for n in (4, *HUGE))
    yield from (tensor(block, (1,), (1,), offset=n) for n in (4, *HUGE))
    yield tensor(block, (2, 2), (2, 2), offset=1)
    yield tensor(block, (2, 2), (2,))
    yield tensor(block, (2,), (2, 1))
    yield tensor(block, (1,) * 100, (1,) * 100)
    yield tensor(block, (0, 2**62, 2**62), (1, 1, 1))
    yield tensor(block, (2**20, 2**20), (0, 0))  # a bomb: every element is the same one
    yield tensor(block, (2**62,), (0,))
    yield tensor(block, (1,), (1,), hooks=HOOKED)
    yield tensor(block, (1,), (1,), requires_grad=number(1))
    yield call(name("torch._utils", "_rebuild_tensor_v2"), NONE, number(0), sizes([1]), sizes([1]), FALSE, HOOKS)
    yield call(
        name("torch._utils", "_rebuild_tensor_v2"),
        block,
        number(0),
        several(several(number(1))),
        sizes([1]),
        FALSE,
        HOOKS,
    )
    yield call(
        name("torch._utils", "_rebuild_tensor_v2"),
        block,
        number(0),
        sizes([1]),
        several(TRUE),
        FALSE,
        HOOKS,
        table({"conj": TRUE}),
    )
    yield call(name("torch._utils", "_rebuild_tensor_v2"), block, number(0))
    yield call(name("torch._utils", "_rebuild_parameter"), block, FALSE, HOOKS)
    yield call(name("torch._utils", "_rebuild_parameter"), tensor(block, (1,), (1,)), FALSE, HOOKED)
    yield call(name("torch", "Size"), sizes([-1]))
    yield call(name("torch", "Size"), several(text("x")))
    yield call(name("torch", "device"), number(1))
    yield block
    yield LIST + block + b"a"
    yield name("torch", "FloatStorage")


@pytest.mark.parametrize("i", range(len(list(tensors(BLOCK)))))
def test_tensors_outside_their_storage(i):
    refused(torch_zip(whole(list(tensors(BLOCK))[i]), {"0": b"\0" * 16}))
    refused(torch_legacy(whole(list(tensors(OLD))[i]), {"0": (4, b"\0" * 16)}))


def one(block):
    return whole(tensor(block, (1,), (1,)))


@pytest.mark.parametrize("count", [0, 3, 5, *HUGE])
@pytest.mark.parametrize("kind", ["Float", "BFloat16"])
def test_storages_of_another_size(count, kind):
    raw = b"\0" * (16 if kind == "Float" else 8)
    refused(torch_zip(one(storage(kind, "0", count)), {"0": raw}))
    refused(torch_legacy(one(storage(kind, "0", count, True)), {"0": (4, raw)}))
    if -(2**63) <= count < 2**63:
        refused(torch_legacy(one(storage(kind, "0", 4, True)), {"0": (count, raw)}))


STORAGES = {
    "no entry": torch_zip(one(storage("Float", "1", 4)), {"0": b"\0" * 16}), "path": torch_zip(one(storage("Float", "../data.pkl", 4)), {}),
    "absolute": torch_zip(one(storage("Float", "/etc/passwd", 4)), {}), "unknown kind": torch_zip(one(storage("Complex", "0", 2)), {"0": b"\0" * 16}),
    "two kinds": torch_zip(whole(several(tensor(BLOCK, (1,), (1,)), tensor(storage("Int", "0", 4), (1,), (1,)))), {"0": b"\0" * 16}),
    "two sizes": torch_legacy(whole(several(tensor(OLD, (1,), (1,)), tensor(storage("Float", "0", 3, True), (1,), (1,)))), {"0": (4, b"\0" * 16)}),
    "no tuple": torch_zip(whole(text("0") + b"Q"), {}), "another word": torch_zip(whole(several(text("module"), NONE, NONE, NONE, NONE) + b"Q"), {}),
    "of nothing": torch_zip(whole(several(text("storage"), NONE, text("0"), text("cpu"), number(1)) + b"Q"), {"0": b""}),
    "view": torch_legacy(whole(several(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(4), several(text("v"), number(0), number(1))) + b"Q"), {"0": (4, b"\0" * 16)}),
    "many claims": torch_legacy(whole(several(*(tensor(storage("Double", str(i), 1000, True), (1,), (1,)) for i in range(50)))), {}),
    "no keys": torch_legacy(one(OLD), {"0": (4, b"\0" * 16)}, keys=[]), "other keys": torch_legacy(one(OLD), {"0": (4, b"\0" * 16)}, keys=["1"]),
    "keys twice": torch_legacy(one(OLD), {"0": (4, b"\0" * 16)}, keys=["0", "0"]), "more data": torch_legacy(one(OLD), {"0": (4, b"\0" * 16)}, end=b"\0"),
    "protocol": LEGACY_MAGIC + whole(number(7)) + LITTLE + one(OLD) + whole(LIST), "system": LEGACY_MAGIC + LEGACY_PROTOCOL + whole(NONE) + one(OLD) + whole(LIST),
    "gradient of integers": torch_zip(whole(tensor(storage("Int", "0", 4), (1,), (1,), requires_grad=TRUE)), {"0": b"\0" * 16}),
    "byte order": torch_zip(one(BLOCK), {"0": b"\0" * 16}, byteorder=b"middle"), "other magic": b"\x80\x02\x8a\x0a" + b"\x07" * 10 + b"." + LEGACY_PROTOCOL,
}  # fmt: skip


@pytest.mark.parametrize("case", STORAGES)
def test_storages(case):
    refused(STORAGES[case])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([op.code.encode("latin1") for op in pickletools.opcodes] + [
    name("collections", "OrderedDict"), name("numpy", "dtype"), name("_codecs", "encode"), text("f4"), TUPLE0, LIST, DICT, MARK, b"\x01", b"\xff",
    name("torch._utils", "_rebuild_tensor_v2"), BLOCK, sizes([1]), HOOKS, numpy_array([2]),
]), max_size=40))  # fmt: skip
def test_programs_of_random_opcodes(pieces):
    pickled = whole(b"".join(pieces))
    with harmless():
        for read in (read_pickle, lambda p: from_bytes(torch_zip(p, {"0": b"\0" * 16}))):
            try:
                assert data_only(read(pickled))
            except FileFormatError:
                pass
