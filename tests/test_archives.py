"""Members of .tar.gz archives and packed files: good ones, hostile ones, damaged ones. Nothing is written, ever, and
little memory taken."""

import gzip
import io
import os
import random
import tarfile
import tracemalloc

import numpy as np
import pytest

from engine.vision.datasets import CIFAR10, tar
from engine.vision.datasets.packed import read_exactly
from engine.vision.datasets.tar import read_members

CONTENT = bytes(range(256)) * 5  # not a multiple of a block
WANTED = {"set/a.bin": len(CONTENT), "set/b.bin": 10}


def member(name, content=b"", kind=tarfile.REGTYPE, size=None, format=tarfile.USTAR_FORMAT, **fields):
    """The bytes of a member: its header, its contents, padding."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(format) + content + bytes(-len(content) % 512)


GOOD = [member("set", kind=tarfile.DIRTYPE), member("set/b.bin", b"0123456789"), member("set/a.bin", CONTENT)]
END = bytes(1024)


@pytest.fixture
def archive(tmp_path):
    """Writes an archive of members and reads the wanted ones; nothing else may change on disk, nor memory grow."""
    (tmp_path / "inside").mkdir()
    path = tmp_path / "inside" / "set.tar.gz"
    before = os.getcwd()
    os.chdir(tmp_path / "inside")

    def read(members, wanted=None, end=END, pack=gzip.compress):
        data = members if isinstance(members, bytes) else pack(b"".join(members) + end)
        path.write_bytes(data)
        tracemalloc.start()
        try:
            return read_members(str(path), WANTED if wanted is None else wanted)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 6 * 2**20
            assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["inside", "inside/set.tar.gz"]

    yield read
    os.chdir(before)


# ---- good archives


@pytest.mark.parametrize(
    "members",
    [
        GOOD,
        [member(name, content) for name, content in (("./set/b.bin", b"0123456789"), ("./set/a.bin", CONTENT))],
        [*GOOD, member("set/readme.html", b"x" * 5000), member("set/empty")],
        [member("set/" + "n" * 150, b"x", format=tarfile.GNU_FORMAT), *GOOD],
        [member("set/" + "ü" * 70, b"x", format=tarfile.PAX_FORMAT), *GOOD],
    ],
    ids=["plain", "dot", "others", "long name", "pax"],
)
@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gz", "unpacked"])
def test_reads_the_wanted_members(archive, members, pack):
    assert archive(members, pack=pack) == {"set/b.bin": b"0123456789", "set/a.bin": CONTENT}


def test_reads_what_tarfile_and_its_formats_write(archive):
    for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        long = "folder/" * 18 + "file.bin"  # needs the prefix field, a long name or a pax header
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", format=format) as out:
            for name in ("set/a.bin", long):
                info = tarfile.TarInfo(name)
                info.size = len(CONTENT)
                out.addfile(info, io.BytesIO(CONTENT))
        wanted = {"set/a.bin": 2000, **({long: 2000} if format == tarfile.USTAR_FORMAT else {})}
        assert archive(buffer.getvalue(), wanted) == dict.fromkeys(wanted, CONTENT)


# ---- hostile and damaged ones

HOSTILE = {
    "parent": ([*GOOD, member("../evil", b"x")], "member '../evil' leads outside"),
    "parent inside": ([*GOOD, member("set/../../evil", b"x")], "leads outside"),
    "parent, other slash": ([*GOOD, member("set\\..\\..\\evil", b"x")], "leads outside"),
    "absolute": ([member("/etc/evil", b"x"), *GOOD], "member '/etc/evil' leads outside"),
    "absolute folder": ([member("/tmp/x", kind=tarfile.DIRTYPE), *GOOD], "leads outside"),
    "symlink": ([*GOOD, member("set/l", kind=tarfile.SYMTYPE, linkname="/etc/passwd")], "'set/l' is a symbolic link"),
    "symlink as wanted": ([GOOD[1], member("set/a.bin", kind=tarfile.SYMTYPE, linkname="/etc/passwd")], "'set/a.bin' is a symbolic link"),
    "hard link": ([*GOOD, member("set/l", kind=tarfile.LNKTYPE, linkname="set/a.bin")], "'set/l' is a hard link"),
    "hard link as wanted": ([GOOD[1], member("set/a.bin", kind=tarfile.LNKTYPE, linkname="set/b.bin")], "is a hard link"),
    "device": ([*GOOD, member("set/zero", kind=tarfile.CHRTYPE, devmajor=1, devminor=5)], "'set/zero' is a device"),
    "disk": ([*GOOD, member("set/sda", kind=tarfile.BLKTYPE)], "is a device"),
    "pipe": ([*GOOD, member("set/p", kind=tarfile.FIFOTYPE)], "is a pipe"),
    "sparse": ([*GOOD, member("set/s", kind=tarfile.GNUTYPE_SPARSE)], "of unknown type b'S'"),
    "twice": ([*GOOD, member("set/b.bin", b"other")], "member 'set/b.bin' is there twice"),
    "twice by another name": ([*GOOD, member("./set/b.bin", b"other")], "is there twice"),
    "folder as wanted": ([GOOD[1], member("set/a.bin", kind=tarfile.DIRTYPE)], "got an archive without set/a.bin"),
    "missing": ([GOOD[1]], "got an archive without set/a.bin; is this the right file"),
    "too large": ([GOOD[2], member("set/b.bin", b"01234567890")], "'set/b.bin' announces 11 bytes, expected at most 10"),
    "huge claim": ([GOOD[1], member("set/a.bin", size=8**11 - 1)], "announces 8589934591 bytes, expected at most 1280"),
    "huge claim of another": ([*GOOD, member("set/c", size=8**11 - 1)], "truncated, it ends after"),
    "beyond octal": ([*GOOD, member("set/c", size=2**40, format=tarfile.GNU_FORMAT)], "a size beyond 8 GiB or none"),
    "long name without end": ([member("././@LongLink", kind=b"L", size=2**30), *GOOD], "a name or note of 1073741824 bytes"),
    "endless pax header": ([member("x", kind=b"x", size=2**30), *GOOD], "a name or note of 1073741824 bytes"),
    "checksum": ([GOOD[0], b"z" + GOOD[1][1:], GOOD[2]], "a header's checksum is wrong"),
    "no tar": (gzip.compress(b"<html>404</html>" * 100), "not a tar archive"),
    "html": (b"<html>404</html>" * 100, "not a tar archive"),
    "short": (b"<html>404</html>", "truncated, it ends after 16 bytes"),
    "empty": (b"", "truncated, it ends after 0 bytes"),
    "no end": (gzip.compress(b"".join(GOOD)), "truncated"),
    "ends in a member": (gzip.compress(b"".join(GOOD)[:-512]), "truncated"),
    "gzip cut": (gzip.compress(b"".join(GOOD) + END)[:-9], "corrupt or truncated gzip data"),
    "gzip checksum": (gzip.compress(b"".join(GOOD) + END)[:-8] + bytes(8), "corrupt or truncated gzip data"),
    "gzip garbage": (b"\x1f\x8b" + random.Random(0).randbytes(500), "corrupt or truncated gzip data"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives(archive, case):
    members, message = HOSTILE[case]
    with pytest.raises(ValueError) as caught:
        archive(members)
    assert message in str(caught.value) and "set.tar.gz" in str(caught.value)


ZEROS = 40 * 2**20


@pytest.mark.parametrize(
    "members",
    [
        [*GOOD, member("set/zeros", bytes(ZEROS))],
        [*GOOD, END, bytes(ZEROS)],
        [member("x", b"0 comment=" + bytes(60000), kind=b"x") * 700],
    ],
    ids=["unwanted", "behind the end", "notes"],
)
def test_bombs(archive, members, monkeypatch):
    monkeypatch.setattr(tar, "MAX_UNPACKED_BYTES", ZEROS - 1)
    with pytest.raises(ValueError, match=f"unpacks to more than {ZEROS - 1} bytes"):
        archive(members)


def test_a_wanted_bomb_is_not_read_beyond_its_limit(archive):
    with pytest.raises(ValueError, match=f"announces {ZEROS} bytes, expected at most {len(CONTENT)}"):
        archive([GOOD[1], member("set/a.bin", bytes(ZEROS))])


def test_every_cut_is_noticed(archive):
    whole = gzip.compress(b"".join(GOOD) + END)
    for length in range(len(whole)):
        with pytest.raises(ValueError):
            archive(whole[:length])
    plain = b"".join(GOOD) + END
    for length in range(0, len(plain) - 1023, 97):
        with pytest.raises(ValueError):
            archive(plain[:length])


def test_random_damage_is_an_error_or_harmless(archive):
    draw = random.Random(1)
    plain = b"".join(GOOD) + END
    for _ in range(400):
        damaged = bytearray(plain)
        damaged[draw.randrange(3 * 512)] = draw.randrange(256)  # mostly headers
        try:
            contents = archive(bytes(damaged))
        except ValueError:
            continue
        assert set(contents) == set(WANTED)


def test_cifar_from_hostile_archives(tmp_path):
    class Small(CIFAR10):
        records = {True: 2, False: 2}

    size = 2 * 3073
    names = [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)]
    good = [member(name, bytes(size)) for name in names]
    for members, message in (
        ([*good, member("../../evil", b"x")], "leads outside"),
        ([*good[:4], member(names[4], kind=tarfile.SYMTYPE, linkname="/dev/zero")], "is a symbolic link"),
        ([*good[:4], member(names[4], bytes(size - 1))], f"got {size - 1} bytes, expected {size}, 2 records of 3073"),
        ([*good[:4], member(names[4], bytes(size + 1))], f"announces {size + 1} bytes, expected at most {size}"),
        ([*good, good[0]], "is there twice"),
        (good[:4], "without cifar-10-batches-bin/data_batch_5.bin"),
    ):
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(b"".join(members) + END))
        with pytest.raises(ValueError, match=message):
            Small(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["cifar-10-binary.tar.gz"]


# ---- packed files


def test_packed_bombs_and_lies(tmp_path):
    path = tmp_path / "x.bin.gz"
    cases = [
        (gzip.compress(bytes(ZEROS)), 1000, "got more than the 1000 bytes expected"),
        (gzip.compress(bytes(999)), 1000, "got 999 bytes, expected 1000; it is truncated"),
        (gzip.compress(bytes(10)), 10**9, r"more than \d\d bytes of gzip can hold"),
        (gzip.compress(bytes(1000))[:-3], 1000, "corrupt or truncated gzip data"),
        (b"\x1f\x8b" + bytes(100), 1000, "corrupt or truncated gzip data"),
        (bytes(7), 10**9, "got 7 bytes, expected 1000000000; it is truncated"),
        (b"", 5, "got 0 bytes, expected 5"),
    ]
    for data, size, message in cases:
        path.write_bytes(data)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=message):
                read_exactly(str(path), size)
            assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
        finally:
            tracemalloc.stop()
    path.write_bytes(gzip.compress(CONTENT))
    np.testing.assert_array_equal(read_exactly(str(path), len(CONTENT)), np.frombuffer(CONTENT, np.uint8))
