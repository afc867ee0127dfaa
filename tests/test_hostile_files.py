"""Hostile safetensors files, archives and arrays, and damage of every kind of file: an error each, and nothing else."""

import io
import json
import pickle
import stat
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hostile import HUGE, READERS, data_only, from_bytes, harmless, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from pickles import NONE, number, storage, table, tensor, torch_legacy, torch_zip, whole

import engine
from engine.serialization import FileFormatError, metadata, read_pickle

assert READERS


# ---- safetensors


def st_file(header, data=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def entry(shape=(1,), begin=0, end=4, dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


SAFETENSORS = {
    "empty": b"", "eight zeros": b"\0" * 8, "ones": b"\xff" * 100, "text": b"hello" * 10,
    "header longer than the file": struct.pack("<Q", 100) + b"{}", "header of 2**63": struct.pack("<Q", 2**63) + b"{}",
    "header of 2**64-1": struct.pack("<Q", 2**64 - 1) + b"{" * 50, "open brace": st_file(b"{"), "list": st_file(b"[{}]"),
    "not utf-8": st_file(b'{"\xff":{}}'), "nan": st_file(b'{"a":NaN}'), "deep": st_file(b'{"a":' + b"[" * 100_000),
    "many digits": st_file(b'{"a":' + b"1" * 10_000 + b"}"), "data without a header": st_file({}, b"data"),
    "too little data": st_file({"a": entry((2,), 0, 8)}, b"\0" * 4), "too much data": st_file({"a": entry()}, b"\0" * 8),
    "span and shape": st_file({"a": entry((2,), 0, 4)}, b"\0" * 4), "gap": st_file({"a": entry(begin=4, end=8)}, b"\0" * 8),
    "gap between": st_file({"a": entry(), "b": entry(begin=8, end=12)}, b"\0" * 12),
    "overlap": st_file({"a": entry(), "b": entry(begin=2, end=6)}, b"\0" * 6), "shared": st_file({"a": entry(), "b": entry()}, b"\0" * 4),
    "backwards": st_file({"a": entry(begin=8, end=4)}, b"\0" * 8), "negative offset": st_file({"a": entry(begin=-4, end=0)}),
    "duplicate names": st_file(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"\0" * 8),
    "duplicate keys": st_file(b'{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
    "no dtype": st_file({"a": {"shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4), "more keys": st_file({"a": {**entry(), "x": 1}}, b"\0" * 4),
    "unknown dtype": st_file({"a": entry(dtype="XYZ")}, b"\0" * 4), "dtype list": st_file({"a": {**entry(), "dtype": ["F32"]}}, b"\0" * 4),
    "unsigned": st_file({"a": entry(dtype="U32")}, b"\0" * 4), "f8": st_file({"a": entry((4,), dtype="F8_E4M3")}, b"\0" * 4),
    "shape of text": st_file({"a": {**entry(), "shape": "1"}}, b"\0" * 4), "shape of floats": st_file({"a": entry((1.0,))}, b"\0" * 4),
    "shape of bools": st_file({"a": entry((True,))}, b"\0" * 4), "offset of floats": st_file({"a": entry(begin=0.0)}, b"\0" * 4),
    "three offsets": st_file({"a": {**entry(), "data_offsets": [0, 4, 8]}}, b"\0" * 4), "entry of null": st_file({"a": None}),
    "100 dimensions": st_file({"a": entry((1,) * 100)}, b"\0" * 4), "metadata of numbers": st_file({"__metadata__": {"a": 1}}),
    "metadata of text": st_file({"__metadata__": "a"}), "zero times huge": st_file({"a": entry((0, 2**62, 2**62), 0, 0)}),
    "wraps to 0": st_file({"a": entry((2**32, 2**32), 0, 0)}), "wraps to 4": st_file({"a": entry((2**62 + 1,), 0, 4)}, b"\0" * 4),
    **{f"size {n}": st_file({"a": entry((n,))}, b"\0" * 4) for n in HUGE},
    **{f"end {n}": st_file({"a": entry(end=n)}, b"\0" * 4) for n in HUGE},
    **{f"begin {n}": st_file({"a": entry(begin=n, end=n + 4)}, b"\0" * 4) for n in HUGE},
}  # fmt: skip


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(case):
    refused(SAFETENSORS[case])


def structured(value, tensors=("t",)):
    text = value if isinstance(value, str) else json.dumps(value)
    entries = {n: entry(begin=4 * i, end=4 * i + 4) for i, n in enumerate(tensors)}
    return st_file({"__metadata__": {"engine.structure": text}, **entries}, b"\0" * 4 * len(tensors))


def nested(levels):
    return [nested(levels - 1)] if levels else []


T = {"tensor": "t"}
STRUCTURES = {
    "no json": "{", "list": [1], "no format": {"value": T}, "future": {"format": 2, "value": T}, "more": {"format": 1, "value": T, "x": 1},
    "format list": {"format": [1], "value": T}, "deep": "[" * 100_000, "nested": {"format": 1, "value": T} | {"value": nested(300)},
    **{str(v)[:30]: {"format": 1, "value": v} for v in (
        1, [T, T], {"tensor": "other"}, {"tensor": ["t"]}, {"tensor": {}}, {"x": T}, {}, {"tensor": "t", "tuple": []}, {"tuple": T},
        {"dict": [[1]]}, {"dict": T}, {"dict": [[[], T]]}, {"dict": [[T, T]]}, {"dict": [[{"tuple": []}, T]]}, {"dict": [[1, T], [1, 2]]},
        [T, {"float": "1"}], [T, {"float": None}], [T, {"float": []}], [T, {"dict": None}],
    )},
}  # fmt: skip


@pytest.mark.parametrize("case", STRUCTURES)
def test_structures(case):
    refused(structured(STRUCTURES[case]), "structure")


def test_an_honest_structure_is_read():
    assert engine.load(io.BytesIO(structured({"format": 1, "value": [T, 1]})))[1] == 1


def test_metadata_of_hostile_files():
    for case, data in SAFETENSORS.items():
        try:
            notes = metadata(io.BytesIO(data))
        except FileFormatError:
            continue
        assert all(isinstance(v, str) for v in notes.values()), case


BLOCK = storage("Float", "0", 4)


# ---- archives


def one(block):
    return whole(tensor(block, (1,), (1,)))


HONEST = torch_zip(whole(tensor(BLOCK, (4,), (1,))), {"0": struct.pack("<4f", 1, 2, 3, 4)})


def with_entry(entry_name, data=b"", mode=0o644):
    f = io.BytesIO(HONEST)
    info = zipfile.ZipInfo(entry_name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(f, "a") as archive:
        archive.writestr(info, data)
    return f.getvalue()


def npz(**entries):
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, data in entries.items():
            archive.writestr(f"{key}.npy", data)
    return f.getvalue()


def archives():
    yield "dots", with_entry("../outside")
    yield "dots within", with_entry("archive/../../outside")
    yield "absolute", with_entry("/etc/passwd")
    yield "backslash", with_entry("archive\\..\\x")
    yield "drive", with_entry("C:/x")
    yield "link", with_entry("archive/link", b"/etc/passwd", stat.S_IFLNK | 0o777)
    yield "duplicate", with_entry("archive/data/0", b"\0" * 16)
    yield "two pickles", with_entry("other/data.pkl", b"N.")
    yield "no pickle", torch_zip(b"", {}).replace(b"data.pkl", b"data.pkx")
    yield "compressed", torch_zip(one(BLOCK), {"0": b"\0" * 16}, compression=zipfile.ZIP_DEFLATED)
    yield (
        "bomb",
        torch_zip(
            whole(tensor(storage("Byte", "0", 2**28), (1,), (1,))),
            {"0": b"\0" * 2**28},
            compression=zipfile.ZIP_DEFLATED,
        ),
    )
    yield (
        "bomb in an npz",
        npz(
            a=b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr': '|u1', 'fortran_order': False, 'shape': (268435456,), }".ljust(117)
            + b"\n"
            + b"\0" * 2**28
        ),
    )
    yield "empty", b"PK\x05\x06" + b"\0" * 18
    yield "only its start", b"PK\x03\x04" + b"\0" * 50
    yield "script", with_entry("archive/constants.pkl", b"N.")
    yield "encrypted", HONEST.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    yield "checksum", HONEST.replace(struct.pack("<4f", 1, 2, 3, 4), struct.pack("<4f", 1, 2, 3, 5))
    yield "no npy", npz(a=b"no array")
    yield "pickle in an npz", npz(a=b"\x80\x02N.")


ARCHIVES = {}


@pytest.fixture(scope="module", autouse=True)
def built():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ARCHIVES.update(archives())


@pytest.mark.parametrize("case", ["dots", "dots within", "absolute", "backslash", "drive", "link", "duplicate", "two pickles", "no pickle", "compressed",
                                  "bomb", "bomb in an npz", "empty", "only its start", "script", "encrypted", "checksum", "no npy", "pickle in an npz"])  # fmt: skip
def test_archives(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(ARCHIVES[case])
    assert not list(tmp_path.iterdir())


def central(data, field, value):
    """A zip whose central directory tells another `field` of the storage's entry."""
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"archive/data/0"))
    offset, size = {
        "compressed": (20, 4),
        "size": (24, 4),
        "crc": (16, 4),
        "place": (42, 4),
        "method": (10, 2),
        "name": (28, 2),
        "extra": (30, 2),
    }[field]
    return data[: at + offset] + value.to_bytes(size, "little") + data[at + offset + size :]


@pytest.mark.parametrize("field", ["compressed", "size", "crc", "place", "method", "name", "extra"])
def test_directories_of_archives_that_lie(field):
    top = 2**16 if field in ("method", "name", "extra") else 2**32
    for value in (0, 1, 15, 17, 100, 10_000, 2**15, top // 2, top - 1):
        data = central(HONEST, field, value)
        if data != HONEST:
            try:
                loaded = from_bytes(data)
            except FileFormatError:
                refused(data)
            else:
                assert loaded.tolist() == [1, 2, 3, 4], (field, value)


def test_an_overlap_is_refused():
    """All storages at the same place: each byte of the file would count many times."""
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w") as archive:
        archive.writestr("archive/data.pkl", whole(NONE))
        for i in range(5):
            archive.writestr(f"archive/data/{i}", b"\0" * 1000)
    data = bytearray(f.getvalue())
    places = [data.index(b"PK\x01\x02")]
    while (at := data.find(b"PK\x01\x02", places[-1] + 4)) > 0:
        places.append(at)
    first = data[places[1] + 42 : places[1] + 46]
    for at in places[2:]:
        data[at + 42 : at + 46] = first
    refused(bytes(data), "overlap")


# ---- .npy


def npy(header, data=b"", version=b"\x01\x00", length=None):
    raw = header.encode() + b"\n"
    size = len(raw) if length is None else length
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\x01\x00" else "<I", size) + raw + data


def npy_header(shape="(1,)", descr="'<f4'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


NPY = {
    "magic alone": b"\x93NUMPY", "version 9": npy(npy_header(), b"\0" * 4, b"\x09\x00"), "header of 4 GB": npy("", b"", b"\x02\x00", 2**32 - 1),
    "header of 64 kB": npy(npy_header() + " " * 60_000, b"\0" * 4), "no header": npy(""), "a call": npy(npy_header(shape="__import__('os').system('true')")),
    "a list of names": npy(npy_header(descr="[('a', '<f4')]"), b"\0" * 4), "object": npy(npy_header(descr="'|O'"), b"\0" * 8), "void": npy(npy_header(descr="'|V4'"), b"\0" * 4),
    "repeated": npy(npy_header(descr="'(1000000,)f4'"), b"\0" * 4), "descr of a number": npy(npy_header(descr="7"), b"\0" * 4), "no shape": npy("{'descr': '<f4'}", b"\0" * 4),
    "shape of text": npy(npy_header(shape="'1'"), b"\0" * 4), "too little": npy(npy_header(shape="(2,)"), b"\0" * 4), "too much": npy(npy_header(), b"\0" * 8),
    "deep": npy("(" * 5000), "order of text": npy(npy_header(order="'x'"), b"\0" * 4), "wraps": npy(npy_header(shape=f"({2**62}, 4)")), "bool shape": npy(npy_header(shape="(True,)"), b"\0" * 4),
    "many digits": npy(npy_header(shape=f"({'1' * 9000},)"), b"\0" * 4),
    "zero times huge": npy(npy_header(shape=f"(0, {2**63})")), **{f"size {n}": npy(npy_header(shape=f"({n},)"), b"\0" * 4) for n in HUGE},
}  # fmt: skip


@pytest.mark.parametrize("case", NPY)
def test_npy_files(case):
    refused(NPY[case])
    refused(npz(a=NPY[case]))


# ---- damage: every length, every byte


def honest_files():
    f = io.BytesIO()
    engine.save({"w": engine.ones(3, 2), "b": engine.ones(2, dtype="uint8"), "n": [1, {"x": 2.5}]}, f)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, a=np.arange(6.0), b=np.ones((2, 2), "f4"))
    array = io.BytesIO()
    np.save(array, np.arange(6.0).reshape(2, 3))
    state = table(
        {
            "w": tensor(storage("Float", "0", 4), (2, 2), (2, 1)),
            "h": tensor(storage("BFloat16", "1", 2), (2,), (1,)),
            "n": number(3),
        }
    )
    old = state.replace(BLOCK, storage("Float", "0", 4, True)).replace(
        storage("BFloat16", "1", 2), storage("BFloat16", "1", 2, True)
    )
    return {
        "safetensors": f.getvalue(), "zip": torch_zip(whole(state), {"0": b"\0" * 16, "1": b"\0" * 4}),
        "legacy": torch_legacy(whole(old), {"0": (4, b"\0" * 16), "1": (2, b"\0" * 4)}), "npz": arrays.getvalue(), "npy": array.getvalue(),
    }  # fmt: skip


FILES = honest_files()
PICKLE = pickle.dumps(
    {b"data": np.arange(6, dtype="u1").reshape(2, 3), "labels": [1, 2, 3], "f": np.float64(1.5), "t": (1, {2})}, 2
)


@pytest.mark.parametrize("kind", FILES)
def test_every_truncation_is_refused(kind):
    whole_file = FILES[kind]
    from_bytes(whole_file)
    for size in range(len(whole_file)):
        with pytest.raises(FileFormatError):
            from_bytes(whole_file[:size])


def test_every_truncation_of_a_pickle_is_refused():
    read_pickle(PICKLE)
    for size in range(len(PICKLE)):
        with pytest.raises(FileFormatError):
            read_pickle(PICKLE[:size])


@pytest.mark.parametrize("kind", [*FILES, "pickle"])
def test_every_byte_flipped(kind):
    whole_file = FILES.get(kind, PICKLE)
    read = read_pickle if kind == "pickle" else from_bytes
    with harmless():
        for position in range(len(whole_file)):
            for flip in (0x01, 0x80, 0xFF):
                changed = bytearray(whole_file)
                changed[position] ^= flip
                try:
                    loaded = read(bytes(changed))
                except FileFormatError:
                    continue
                assert data_only(loaded)


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from([*FILES, "pickle"]), data=st.data())
def test_files_with_several_changes(kind, data):
    changed = bytearray(FILES.get(kind, PICKLE))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed)))
        piece = data.draw(st.binary(max_size=8))
        changed[at : at + data.draw(st.integers(0, 8))] = piece
    with harmless():
        try:
            assert data_only(read_pickle(bytes(changed)) if kind == "pickle" else from_bytes(bytes(changed)))
        except FileFormatError:
            pass
