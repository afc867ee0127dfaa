"""Fetching the published files of a data set: over https, checked by SHA-256, resumed, put in place in one step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from engine.progress import progress

TIMEOUT = 30.0  # seconds without a sign of life
CHUNK = 2**18
PASSES = 5  # over all mirrors, as long as each brings something new


@dataclass(frozen=True)
class Remote:
    """A published file: its contents are known before it is fetched."""

    name: str
    size: int
    sha256: str


class DownloadError(OSError):
    """A file could not be had from any mirror; the message says what was tried and how to get it by hand."""


def fetch(files: Sequence[Remote], mirrors: Sequence[str], folder: str, opener=None) -> None:
    """Put `files` into `folder`, which is made if need be; what is there already, unharmed, is not fetched again.

    mirrors   URLs ending in "/", tried in turn; only https, redirections too
    opener    `opener(request, timeout=seconds)` opens a urllib Request; urllib's own by default

    A partial file is kept as `<name>.part`, and the next try goes on from there. DownloadError when a file cannot be had
    or is not the one that was published; nothing else ever gets its name.
    """
    os.makedirs(folder, exist_ok=True)
    missing = [file for file in files if not _is_there(os.path.join(folder, file.name), file)]
    for i, file in enumerate(missing):
        problems = _fetch_one(file, mirrors, os.path.join(folder, file.name), opener or _default_opener())
        if problems:
            tried = "".join(f"\n  {url}: {problem}" for url, problem in problems.items())
            wanted = "".join(
                f"\n  {' or '.join(mirror + f.name for mirror in mirrors)} ({f.size} bytes, sha256 {f.sha256})"
                for f in missing[i:]
            )
            raise DownloadError(f"could not download {file.name}:{tried}\nGet by hand, and put into {folder}:{wanted}")


def _fetch_one(file: Remote, mirrors: Sequence[str], target: str, opener) -> dict[str, str]:
    """Fetch one file; what went wrong at each URL when none would give it, else nothing."""
    part = target + ".part"
    problems: dict[str, str] = {}
    for _ in range(PASSES):
        before = _size(part)
        for mirror in mirrors:
            url = mirror + file.name
            try:
                _continue(url, part, file, opener)
            except (OSError, EOFError, ValueError) as error:  # those of urllib and ssl are OSErrors
                problems[url] = str(error) or type(error).__name__
                continue
            os.replace(part, target)
            return {}
        if _size(part) == before:  # nothing came, and nothing was thrown away
            break
    return problems


def _continue(url: str, part: str, file: Remote, opener) -> None:
    """Bring the partial file to its end from `url`; an error when what is there then is not the published file."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    if not url.startswith("https://"):
        raise ValueError("only https is used")
    have = _size(part)
    if have >= file.size:
        if _is_genuine(part, file):
            return
        os.unlink(part)
        have = 0
    request = Request(url, headers={"User-Agent": "engine-datasets", **({"Range": f"bytes={have}-"} if have else {})})
    try:
        with opener(request, timeout=TIMEOUT) as response:
            _copy(response, part, _start(response, have, file), file)
    except HTTPError as error:
        if error.code == 416:  # no such range: begin anew
            os.unlink(part)
        raise
    except HTTPException as error:
        raise OSError(f"the connection broke: {error!r}") from error
    got = _size(part)
    if got < file.size:
        raise EOFError(f"the connection ended after {got} of {file.size} bytes")
    if not _is_genuine(part, file):
        os.unlink(part)
        raise ValueError(f"what came is not the published file (its sha256 is another than {file.sha256})")


def _start(response, have: int, file: Remote) -> int:
    """Where in the file the answer begins; ValueError when it is no answer to what was asked."""
    span = response.headers.get("Content-Range", "")
    if have and response.status == 206 and span == f"bytes {have}-{file.size - 1}/{file.size}":
        return have
    if response.status != 200:
        raise ValueError(f"got status {response.status} {span}, expected the file of {file.size} bytes")
    length = response.headers.get("Content-Length", str(file.size))
    if length != str(file.size):
        raise ValueError(f"the server offers {length} bytes, expected {file.size}: it is another file or an error page")
    return 0


def _copy(response, part: str, start: int, file: Remote) -> None:
    """Append the answer's body to the partial file, cut to `start` bytes; ValueError as soon as it is too long."""
    with (
        open(part, "ab") as out,
        progress(None, file.name, 0, total=file.size, initial=start, unit="B", unit_scale=True, leave=True) as bar,
    ):
        out.truncate(start)
        while data := response.read(CHUNK):
            start += len(data)
            if start > file.size:
                out.truncate(0)
                raise ValueError(f"the server sends more than the {file.size} bytes of the published file")
            out.write(data)
            bar.update(len(data))
        out.flush()
        os.fsync(out.fileno())


def _is_there(path: str, file: Remote) -> bool:
    return os.path.isfile(path) and _is_genuine(path, file)


def _is_genuine(path: str, file: Remote) -> bool:
    """Whether the file has the published contents."""
    if os.path.getsize(path) != file.size:
        return False
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(2**20):
            digest.update(data)
    return digest.hexdigest() == file.sha256


def _size(path: str) -> int:
    with suppress(FileNotFoundError):
        return os.path.getsize(path)
    return 0


def _default_opener():
    """urllib's opener, which is not led away from https."""
    from urllib.error import URLError
    from urllib.request import HTTPRedirectHandler, build_opener

    class OnlyHttps(HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            if not newurl.startswith("https://"):
                raise URLError(f"redirected to {newurl}, and only https is used")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return build_opener(OnlyHttps()).open
