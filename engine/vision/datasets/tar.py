"""Chosen members of a .tar.gz, read into memory; nothing is ever written, and nothing in the archive is believed.

Only regular files are taken, by their exact names and up to a size the caller states. An archive that holds a link, a
device or a name that leads outside is refused, whether or not that member is asked for. Headers are read here rather
than by the standard library, which reads names of any length into memory.
"""

from __future__ import annotations

from engine.vision.datasets.packed import unpacked

BLOCK = 512
CHUNK = 2**20
MAX_UNPACKED_BYTES = 2**30  # far above any data set of this kind; a small archive may unpack to more
MAX_NOTES_BYTES = 2**16

KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe"}
NOTES = b"xgLK"  # long names and times: known, skipped
REGULAR = (b"0", b"\0", b"7")
FOLDER = b"5"


def read_members(path: str, wanted: dict[str, int]) -> dict[str, bytes]:
    """The contents of the regular files `wanted` (name -> most bytes allowed) in the .tar.gz at `path`.

    ValueError, with the name of the archive and of the member, for one that is missing, double, too large or no
    regular file, for a hostile archive, for a truncated or corrupt one.
    """
    found: dict[str, bytes] = {}
    with unpacked(path) as (file, _, _):
        source = _Source(file, path)
        while (header := source.block()) is not None:
            name, kind, size = _parse(header, path)
            if kind in NOTES:
                if size > MAX_NOTES_BYTES:
                    raise ValueError(f"{path}: a name or note of {size} bytes, expected at most {MAX_NOTES_BYTES}")
                source.skip(size + -size % BLOCK)
                continue
            if kind not in REGULAR and kind != FOLDER:
                what = KINDS.get(kind, f"of unknown type {kind!r}")
                raise ValueError(f"{path}: member {name!r} is {what}; expected files and folders only")
            if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                raise ValueError(
                    f"{path}: member {name!r} leads outside of the archive; get it from its official source"
                )
            name = name.removeprefix("./")
            if kind == FOLDER or name not in wanted:
                source.skip(size + -size % BLOCK)
                continue
            if name in found:
                raise ValueError(f"{path}: member {name!r} is there twice")
            if size > wanted[name]:
                raise ValueError(f"{path}: member {name!r} announces {size} bytes, expected at most {wanted[name]}")
            found[name] = source.read(size)
        source.drain()
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(f"{path}: got an archive without {', '.join(missing)}; is this the right file?")
    return found


class _Source:
    """The unpacked archive as a stream, its length bounded."""

    def __init__(self, file, path: str):
        self.file, self.path, self.taken = file, path, 0

    def read(self, size: int) -> bytes:
        """The contents of a member; memory grows with what is really there."""
        data = bytearray()
        while len(data) < size:
            data += self._some(size - len(data))
        self.skip(-size % BLOCK)
        return bytes(data)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        while size:
            size -= len(self._some(size))

    def block(self) -> bytes | None:
        """The next header; None at the block of zeros that ends an archive."""
        header = b""
        while len(header) < BLOCK:
            header += self._some(BLOCK - len(header))
        return header if any(header) else None

    def drain(self) -> None:
        """Read what follows the end, so that gzip compares its checksum."""
        while self._some(CHUNK, needed=False):
            pass

    def _some(self, count: int, needed: bool = True) -> bytes:
        data = self.file.read(min(count, CHUNK))
        self.taken += len(data)
        if self.taken > MAX_UNPACKED_BYTES:
            raise ValueError(f"{self.path}: unpacks to more than {MAX_UNPACKED_BYTES} bytes, expected a data set")
        if needed and not data:
            raise ValueError(f"{self.path}: truncated, it ends after {self.taken} bytes unpacked; fetch it again")
        return data


def _parse(header: bytes, path: str) -> tuple[str, bytes, int]:
    """(name, type, size) of a header block."""
    blank = header[:148] + b" " * 8 + header[156:]  # the checksum counts itself as blanks
    if _octal(header[148:156]) != sum(blank):
        raise ValueError(f"{path}: not a tar archive, or a damaged one: a header's checksum is wrong; fetch it again")
    name = header[:100].split(b"\0")[0]
    if header[257:263] == b"ustar\0" and header[345]:
        name = header[345:500].split(b"\0")[0] + b"/" + name
    size = _octal(header[124:136])
    if size is None:
        raise ValueError(f"{path}: member {name!r} announces a size beyond 8 GiB or none at all")
    return name.decode("utf-8", "replace"), header[156:157], size


def _octal(field: bytes) -> int | None:
    """A number as tar writes it; None for anything else."""
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and all(c in b"01234567" for c in digits) else None
