"""The IDX reader against good, damaged and hostile files."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from engine.vision.datasets.idx import MAX_UNPACKED_BYTES, TYPES, UINT8, read_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def header(*sizes, kind=UINT8):
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, len(sizes), *sizes)


GOOD = header(2, 3, 4) + IMAGES.tobytes()


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name="images-idx3-ubyte"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    "content, name",
    [
        pytest.param(GOOD, "images", id="plain"),
        pytest.param(gzip.compress(GOOD), "images.gz", id="gzip"),
        pytest.param(GOOD, "images.gz", id="unpacked-by-the-browser"),
        pytest.param(gzip.compress(GOOD[:9]) + gzip.compress(GOOD[9:]), "images.gz", id="two-gzip-members"),
    ],
)
def test_reads_plain_and_gzip(write, content, name):
    array = read_idx(write(content, name), ndim=3, kind=UINT8)
    np.testing.assert_array_equal(array, IMAGES)
    assert array.dtype == np.uint8 and array.flags.writeable


@pytest.mark.parametrize("kind", TYPES)
def test_reads_every_type_as_native(write, kind):
    values = np.array([[1, 2, 3], [4, 5, 100]], TYPES[kind])
    array = read_idx(write(header(2, 3, kind=kind) + values.tobytes()))
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, values)


def test_empty_array(write):
    assert read_idx(write(header(0, 28, 28))).shape == (0, 28, 28)


CORRUPT_GZIP = bytearray(gzip.compress(GOOD))
CORRUPT_GZIP[-6] ^= 0xFF  # in the checksum

BAD = {  # id: (content, name, what the message says besides the file's name)
    "empty": (b"", "x", "not an IDX file, it ends within the magic number (got 0 of 4 bytes)"),
    "three-bytes": (GOOD[:3], "x", "got 3 of 4 bytes"),
    "html-page": (
        b"<html>404</html>",
        "x",
        "not an IDX file, got magic number 0x3c68746d, expected 0x00000803",
    ),
    "unknown-type": (
        header(2, 3, 4, kind=7) + bytes(24),
        "x",
        "got magic number 0x00000703, expected 0x00000803",
    ),
    "no-dimensions": (bytes([0, 0, 8, 0]), "x", "got magic number 0x00000800"),
    "200-dimensions": (bytes([0, 0, 8, 200]) + bytes(800), "x", "got magic number 0x000008c8"),
    "labels-for-images": (
        header(4) + bytes(4),
        "x",
        "got magic number 0x00000801 (uint8, 1-dimensional), expected 0x00000803 (uint8, 3-dimensional); "
        "is this the right file?",
    ),
    "float-for-bytes": (header(1, 1, 1, kind=0x0D) + bytes(4), "x", "got magic number 0x00000d03 (float32"),
    "header-cut": (GOOD[:10], "x", "the header is cut off, got 10 bytes, expected 16"),
    "truncated": (
        GOOD[:-1],
        "x",
        "the header announces 2 x 3 x 4 elements of 1 bytes, 40 bytes in all, but the file has 39 bytes; "
        "it is truncated, fetch it again",
    ),
    "trailing": (GOOD + b"\0", "x", "40 bytes in all, but the file has 41 bytes; it has trailing data"),
    "lying-header": (header(2**31, 28, 28) + bytes(24), "x", "but the file has 40 bytes; it is truncated"),
    "product-wraps-64-bits": (header(2**32 - 1, 2**32 - 1, 2**32 - 1), "x", "but the file has 16 bytes"),
    "product-is-2-to-64": (header(2**31, 2**31, 4), "x", "but the file has 16 bytes"),
    "zero-times-huge": (header(0, 2**32 - 1, 2**32 - 1), "x", "sizes beyond any array"),
    "gzip-header-only": (gzip.compress(GOOD)[:10], "x.gz", "corrupt or truncated gzip data"),
    "gzip-truncated": (gzip.compress(GOOD)[:-9], "x.gz", "corrupt or truncated gzip data"),
    "gzip-checksum": (bytes(CORRUPT_GZIP), "x.gz", "corrupt or truncated gzip data (CRC check failed"),
    "gzip-garbage-behind": (gzip.compress(GOOD) + b"junk", "x.gz", "corrupt or truncated gzip data"),
    "gzip-data-short": (gzip.compress(GOOD[:-1]), "x.gz", "but it ends after 39 bytes; it is truncated"),
    "gzip-data-long": (gzip.compress(GOOD + b"\0"), "x.gz", "but more data follows; it has trailing data"),
    "gzip-lying-header": (
        gzip.compress(header(2**31, 28, 28)),
        "x.gz",
        "more than a gzip file of",
    ),
    "gzip-wraps-64-bits": (gzip.compress(header(2**31, 2**31, 4)), "x.gz", "sizes beyond any array"),
}


@pytest.mark.parametrize("case", BAD)
def test_refuses_bad_file(write, case):
    content, name, message = BAD[case]
    path = write(content, name)
    with pytest.raises(ValueError) as caught:
        read_idx(path, ndim=3, kind=UINT8)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_every_truncation_is_an_error(write):
    for packed in (GOOD, gzip.compress(GOOD)):
        for length in range(len(packed)):
            with pytest.raises(ValueError):
                read_idx(write(packed[:length]))


def test_every_flipped_bit_of_gzip_is_an_error_or_harmless(write):
    packed = gzip.compress(GOOD, mtime=0)
    for position in range(len(packed) * 8):
        damaged = bytearray(packed)
        damaged[position // 8] ^= 1 << position % 8
        try:
            array = read_idx(write(bytes(damaged)), ndim=3, kind=UINT8)
        except ValueError:
            continue
        np.testing.assert_array_equal(array, IMAGES)  # a flip in a field without meaning, as the time stamp


def test_gzip_bomb_is_not_unpacked(write):
    bomb = gzip.compress(header(1, 1, 1) + bytes(64 * 2**20))
    path = write(bomb, "bomb.gz")
    tracemalloc.start()
    with pytest.raises(ValueError, match="more data follows"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_lying_header_allocates_nothing(write):
    plain = write(header(2**20, 28, 28) + bytes(100))
    packed = write(gzip.compress(header(2**20, 28, 28) + bytes(100)), "x.gz")
    tracemalloc.start()
    for path in (plain, packed):
        with pytest.raises(ValueError):
            read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_honest_but_enormous_gzip_is_refused(write, monkeypatch):
    monkeypatch.setattr("engine.vision.datasets.idx.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 1000 bytes are unpacked"):
        read_idx(write(gzip.compress(header(2000) + np.arange(2000).astype(np.uint8).tobytes()), "x.gz"))
    assert MAX_UNPACKED_BYTES == 2**30


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "absent")
