"""Zip files, read with suspicion: every entry's place and size is checked before any is unpacked, nothing is extracted."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib

from engine.serialization.elements import FileFormatError

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)
_LEAST_HEADER = 30  # bytes before an entry's name
MAX_INFLATION = 64  # how many times its own size an archive may unpack to, beside
SLACK = 2**24


class Archive:
    """The entries of the zip file `f` of `size` bytes: `names`, `size_of(name)` and `read(name)`.

    FileFormatError for entries that overlap or leave the file, names that occur twice, lead elsewhere or are links,
    encryption, and for a total size far beyond that of the file.
    """

    def __init__(self, f, size: int):
        try:
            self._zip = zipfile.ZipFile(f)
            entries = self._zip.infolist()
        except _DAMAGE as error:
            raise FileFormatError(f"not a valid zip file: {error}") from None
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise FileFormatError("its zip archive has two entries of the same name")
        for entry in entries:
            _check_name(entry)
        _check_places(entries, size)
        if sum(entry.file_size for entry in entries) > size * MAX_INFLATION + SLACK:
            raise FileFormatError(
                f"its zip archive of {size} bytes would unpack to more than {MAX_INFLATION} times that"
            )

    @property
    def names(self) -> list[str]:
        return list(self._entries)

    def size_of(self, name: str) -> int:
        """Bytes of an entry, unpacked. FileFormatError when there is none of that name."""
        if name not in self._entries:
            raise FileFormatError(f"its zip archive lacks the entry {name!r}")
        return self._entries[name].file_size

    def stored(self, name: str) -> bytes:
        """An entry that is not compressed, as all of PyTorch's are: what it takes in memory is in the file."""
        if name in self._entries and self._entries[name].compress_type != zipfile.ZIP_STORED:
            raise FileFormatError(f"entry {name!r} of its zip archive is compressed, which PyTorch does not do")
        return self.read(name)

    def read(self, name: str) -> bytes:
        """An entry, its checksum compared."""
        size = self.size_of(name)
        try:
            with self._zip.open(self._entries[name]) as entry:
                data = entry.read(size)
                entry.read(1)  # reaching the end compares the checksum
        except _DAMAGE as error:
            raise FileFormatError(f"entry {name!r} of its zip archive is damaged: {error}") from None
        if len(data) != size:
            raise FileFormatError(f"entry {name!r} of its zip archive has {len(data)} bytes, {size} are announced")
        return data


def _check_name(entry):
    name = entry.filename
    if name.startswith("/") or "\\" in name or ":" in name.partition("/")[0] or ".." in name.split("/"):
        raise FileFormatError(f"its zip archive has an entry that leads out of it: {name!r}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise FileFormatError(f"its zip archive has a link, {name!r}")
    if entry.flag_bits & 1:
        raise FileFormatError(f"its zip archive has an encrypted entry, {name!r}")


def _check_places(entries, size):
    """Entries lie in the file, one after the other; those that are stored take what they announce."""
    end = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end:
            raise FileFormatError(f"its zip archive has entries that overlap, {entry.filename!r} and the one before")
        end = entry.header_offset + _LEAST_HEADER + entry.compress_size
        if end > size:
            raise FileFormatError(f"entry {entry.filename!r} of its zip archive reaches beyond the end of the file")
        if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
            raise FileFormatError(f"entry {entry.filename!r} of its zip archive has two different sizes")
