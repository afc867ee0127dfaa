"""Pickles put together by hand, opcode by opcode, and the files of PyTorch's that hold them: honest ones and others."""

import io
import struct
import zipfile

STOP = b"."
NONE, TRUE, FALSE, MARK, DICT, LIST, TUPLE0 = b"N", b"\x88", b"\x89", b"(", b"}", b"]", b")"
LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
LEGACY_PROTOCOL = b"\x80\x02M\xe9\x03."
LITTLE, BIG = (b"\x80\x02}X\x0d\x00\x00\x00little_endian" + flag + b"s." for flag in (TRUE, FALSE))


def text(s):
    return b"X" + struct.pack("<I", len(s.encode())) + s.encode()


def number(n):
    """A whole number of any size."""
    if 0 <= n < 256:
        return b"K" + bytes([n])
    size = n.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + n.to_bytes(size, "little", signed=True)


def several(*items):
    """A tuple."""
    return MARK + b"".join(items) + b"t"


def sizes(values):
    return several(*(number(v) for v in values))


def table(entries):
    """A dict of strings to pickled values."""
    return DICT + MARK + b"".join(text(k) + v for k, v in entries.items()) + b"u"


def name(module, attribute):
    """A global."""
    return f"c{module}\n{attribute}\n".encode()


def call(function, *arguments):
    return function + several(*arguments) + b"R"


def whole(pickled):
    """A complete pickle of protocol 2."""
    return b"\x80\x02" + pickled + STOP


HOOKS = call(name("collections", "OrderedDict"))


def storage(kind, key, count, legacy=False):
    """A persistent reference to a storage: kind is "Float", "Long", ..."""
    end = [NONE] if legacy else []
    return (
        several(
            text("storage"), name("torch", f"{kind}Storage"), text(key), text("cuda:0"), number(count), *end
        )
        + b"Q"
    )  # fmt: skip


def tensor(block, size, stride, offset=0, requires_grad=FALSE, hooks=HOOKS):
    """What torch writes for a Tensor in a storage."""
    return call(
        name("torch._utils", "_rebuild_tensor_v2"),
        block,
        number(offset),
        sizes(size),
        sizes(stride),
        requires_grad,
        hooks,
    )


def torch_zip(pickled, storages, root="archive", byteorder=b"little", extra=(), compression=zipfile.ZIP_STORED):
    """The bytes of a .pt file: a complete pickle and the storages by key."""
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w", compression) as archive:
        archive.writestr(f"{root}/data.pkl", pickled)
        if byteorder is not None:
            archive.writestr(f"{root}/byteorder", byteorder)
        for key, data in storages.items():
            archive.writestr(f"{root}/data/{key}", data)
        archive.writestr(f"{root}/version", b"3\n")
        for entry, data in extra:
            archive.writestr(entry, data)
    return f.getvalue()


def torch_legacy(pickled, storages, system=LITTLE, keys=None, end=b""):
    """The bytes of a legacy file; storages: key -> (number of elements, their bytes)."""
    names = whole(LIST + MARK + b"".join(text(k) for k in (storages if keys is None else keys)) + b"e")
    blocks = b"".join(struct.pack("<q", count) + data for count, data in storages.values())
    return LEGACY_MAGIC + LEGACY_PROTOCOL + system + pickled + names + blocks + end
