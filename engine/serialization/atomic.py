"""Writing a file so that a reader finds the old contents or the new, never a part, whatever happens.

The new contents go to a file beside the target, reach the disk, and take the target's name in one step. A run that is
killed leaves its unfinished file behind; the next write of the same target removes it. Whether its writer still
lives is told by a lock, which the system drops when a process ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from contextlib import contextmanager, suppress

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path):
    """`with replacing(path) as f:` a binary file that takes the place of `path` when the block ends without an error.

    A link is followed; the mode bits of an existing file are kept, a new one gets those of the umask. Devices and pipes
    are written directly. OSError, with the old contents kept and nothing left behind, when it cannot be done.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"cannot save to {path}: it is a folder; name a file in it")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {folder}; make it first")
    with _full_disk_explained(path):
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as f:
                yield f
            return
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"cannot save to {path}: folder {folder} is not writable; choose another")
        _remove_stale(folder, name)
        yield from _written_beside(path, folder, name)
    _sync(folder)


def atomic_write(path, data):
    """Write bytes to `path`, all or nothing."""
    with replacing(path) as f:
        f.write(data)


def _written_beside(path, folder, name):
    mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else None
    beside, handle = _fresh(folder, name, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as f:
            yield f
            f.flush()
            if mode is not None:
                os.fchmod(handle, mode)
            os.fsync(handle)
            os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _sync(folder):
    """Let the new name reach the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that has no such thing
            raise
    finally:
        os.close(handle)


@contextmanager
def _full_disk_explained(path):
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            reason = os.strerror(error.errno)
            raise OSError(error.errno, f"{reason} while saving; what {path} held before is kept") from error
        raise


def _beside(name, middle):
    return f".{name[:50]}.{middle}.part"  # names have a limit, often of 255 bytes


def _fresh(folder, name, mode):
    """(path, handle) of a new, locked file in `folder`."""
    while True:
        beside = os.path.join(folder, _beside(name, os.urandom(6).hex()))
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # a file system without locks: then nobody removes anything
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(beside):
            return beside, handle
        os.close(handle)  # another run took it for a stale one before it was locked


def _remove_stale(folder, name):
    """Remove what killed runs left of writing `name`."""
    pattern = re.compile(re.escape(_beside(name, "@")).replace("@", "[0-9a-f]{12}"))
    for entry in filter(pattern.fullmatch, os.listdir(folder)):
        stale = os.path.join(folder, entry)
        with suppress(OSError):
            handle = os.open(stale, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: its writer lives
                os.unlink(stale)
            finally:
                os.close(handle)
