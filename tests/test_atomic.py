"""Writing files: killed, interrupted, out of room or in a race, nothing that was saved before is ever lost."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import engine
from engine.serialization import atomic, atomic_write

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(os.name != "posix", reason="file systems as POSIX has them")


def child(code, *args, timeout=300):
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], cwd=ROOT, capture_output=True, text=True, timeout=timeout
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


# ---- killed

KILLED_AT_EVERY_LINE = """
import os, signal, sys
import engine
from engine.serialization import atomic, safetensors_file
path = sys.argv[1]
lines = {atomic.__file__, safetensors_file.__file__, atomic.replacing.__code__.co_filename}
state = lambda epoch: {"epoch": epoch, "model": {"w": engine.full((50, 50), epoch), "b": engine.zeros(3)}}
engine.save(state(0), path)
found, killed, litter = set(), 0, 0
while True:
    pid = os.fork()
    if not pid:
        passed = 0
        def trace(frame, event, arg):
            global passed
            if frame.f_code.co_filename not in lines:
                return None
            passed += 1
            if passed > killed:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        engine.save(state(1), path)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    loaded = engine.load(path)
    assert loaded["model"]["w"].numpy().min() == loaded["model"]["w"].numpy().max() == loaded["epoch"]
    found.add((loaded["epoch"], status))
    litter += len(os.listdir(os.path.dirname(path))) > 1
    engine.save(state(0), path)
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)], "what a killed run left was not removed"
    if status == 0:
        break
    killed += 1
print(killed, litter, sorted(found))
"""


def test_killed_at_every_line_of_a_save(tmp_path):
    killed, litter, found = child(KILLED_AT_EVERY_LINE, tmp_path / "a").split(maxsplit=2)
    assert found.strip() == f"[(0, {int(signal.SIGKILL)}), (1, 0), (1, {int(signal.SIGKILL)})]"
    assert int(killed) > 100 and int(litter) > 10


SAVE_ONCE = "import sys, engine; engine.save({'epoch': int(sys.argv[2]), 'w': engine.full((300, 300), int(sys.argv[2]))}, sys.argv[1])"


def straced(call, injected, path):
    """Save in a process one of whose system calls is tampered with."""
    command = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        injected,
        sys.executable,
        "-B",
        "-c",
        SAVE_ONCE,
    ]
    return subprocess.run([*command, str(path), "1"], cwd=ROOT, capture_output=True, text=True, timeout=100)


def strace_works():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not strace_works(), reason="strace is not here, or may not trace")
@pytest.mark.parametrize(
    "call, when", [("flock", 1), ("write", 1), ("fchmod", 1), ("fsync", 1), ("rename", 1), ("fsync", 2)]
)
@pytest.mark.parametrize("how", ["signal=SIGKILL", "error=ENOSPC"])
def test_each_system_call_killed_or_out_of_room(tmp_path, call, when, how):
    path = tmp_path / "a"
    engine.save({"epoch": 0, "w": engine.zeros(300, 300)}, path)
    run = straced(call, f"inject={call}:{how}:when={when}", path)
    loaded = engine.load(path)
    assert loaded["w"].numpy().min() == loaded["w"].numpy().max() == loaded["epoch"]
    if how == "signal=SIGKILL":
        assert run.returncode == -signal.SIGKILL
        assert (
            loaded["epoch"] == (1 if (call, when) == ("fsync", 2) else 0) or call == "rename"
        )  # killed after the call
    elif call == "flock":
        assert run.returncode == 0 and loaded["epoch"] == 1  # a file system without locks will do
    else:
        assert run.returncode == 1 and "No space left on device" in run.stderr
        assert ("while saving; what" in run.stderr) == (loaded["epoch"] == 0) == ((call, when) != ("fsync", 2))
        assert os.listdir(tmp_path) == ["a"]


# ---- out of room


def fail(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_a_failing_step_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, step):
    path = tmp_path / "a"
    engine.save({"w": engine.ones(1)}, path)
    before = path.read_bytes()
    monkeypatch.setattr(atomic.os, step, fail)
    handles = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with pytest.raises(
        OSError, match=f"No space left on device while saving; what {path} held before is kept"
    ) as error:
        engine.save({"w": engine.zeros(1)}, path)
    monkeypatch.undo()
    assert error.value.errno == errno.ENOSPC
    if handles is not None:
        assert set(os.listdir("/proc/self/fd")) == handles, "a file handle was left open"
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a"]


def test_a_limit_of_the_system_keeps_the_old_file(tmp_path):
    code = """
import resource, sys, engine
engine.save({"w": engine.zeros(10)}, sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    engine.save({"w": engine.ones(100, 100)}, sys.argv[1])
except OSError as error:
    print(error)
"""
    assert "File too large while saving; what" in child(code, tmp_path / "a")
    assert engine.load(tmp_path / "a")["w"].tolist() == [0] * 10 and os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_device_is_written_and_stays_a_device():
    with pytest.raises(OSError, match="No space left on device while saving"):
        engine.save({"w": engine.ones(10_000)}, "/dev/full")
    engine.save({"w": engine.ones(1)}, "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode) and stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    engine.save({"w": engine.ones(1)}, path)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.save({"w": engine.zeros(1)}, path)
    monkeypatch.undo()
    assert engine.load(path)["w"].tolist() == [1.0] and os.listdir(tmp_path) == ["a"]


# ---- order, modes, links


def test_the_bytes_reach_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def noted(*args, name=name, real=real):
            kind = "folder" if name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode) else "file"
            steps.append((name, kind))
            if name == "replace":
                assert os.path.dirname(args[0]) == os.path.dirname(args[1])
            return real(*args)

        monkeypatch.setattr(atomic.os, name, noted)
    atomic_write(tmp_path / "a", b"data")
    assert steps == [("fsync", "file"), ("replace", "file"), ("fsync", "folder")]


def test_mode_bits_are_kept_and_new_files_follow_the_umask(tmp_path, monkeypatch):
    path = tmp_path / "a"
    before = os.umask(0o027)
    try:
        atomic_write(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        atomic_write(path, b"2")
        assert stat.S_IMODE(path.stat().st_mode) == 0o604 and path.read_bytes() == b"2"
    finally:
        os.umask(before)


def test_nobody_reads_a_private_file_while_it_is_written(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    path.chmod(0o600)
    with atomic.replacing(path) as f:
        f.write(b"secret")
        (beside,) = [p for p in tmp_path.iterdir() if p != path]
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert path.read_bytes() == b"secret"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "deep").mkdir()
    atomic_write(tmp_path / "deep" / "target", b"1")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "deep" / "target")
    atomic_write(link, b"2")
    assert link.is_symlink() and (tmp_path / "deep" / "target").read_bytes() == b"2"
    assert os.listdir(tmp_path / "deep") == ["target"]


def test_long_and_odd_names(tmp_path, monkeypatch):
    for name in ("ü" * 120, "x" * 255, ".", "a b\n[*]?"):
        path = tmp_path / name
        if name == ".":
            with pytest.raises(IsADirectoryError, match="it is a folder; name a file in it"):
                atomic_write(path, b"")
            continue
        for content in (b"1", b"2"):
            atomic_write(path, content)
            assert path.read_bytes() == content
    assert len(os.listdir(tmp_path)) == 3
    monkeypatch.chdir(tmp_path)
    atomic_write("relative", b"3")
    assert (tmp_path / "relative").read_bytes() == b"3"


def test_what_cannot_be_saved_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*missing; make it first"):
        engine.save({"a": engine.ones(2)}, tmp_path / "missing" / "x.safetensors")
    with pytest.raises(IsADirectoryError, match="it is a folder; name a file in it"):
        engine.save({"a": engine.ones(2)}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="is not writable; choose another"):
        atomic_write(tmp_path / "a", b"")


# ---- several writers


def test_only_what_the_dead_left_is_removed(tmp_path):
    name = "a"
    with atomic.replacing(tmp_path / name) as living:
        living.write(b"from the living")
        stale = tmp_path / f".{name}.0123456789ab.part"
        strangers = [tmp_path / f".{name}.0123456789ab", tmp_path / ".b.0123456789ab.part", tmp_path / ".a.xyz.part"]
        for path in (stale, *strangers):
            path.write_bytes(b"old")
        atomic_write(tmp_path / name, b"from another")
        assert not stale.exists() and all(path.exists() for path in strangers)
        assert len(os.listdir(tmp_path)) == len(strangers) + 2  # the living one's file is still there
    assert (tmp_path / name).read_bytes() == b"from the living"


def test_a_link_in_the_place_of_a_stale_file_harms_nobody(tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"kept")
    (tmp_path / ".a.0123456789ab.part").symlink_to(precious)
    atomic_write(tmp_path / "a", b"1")
    assert precious.read_bytes() == b"kept"


def test_a_fresh_file_that_a_sweeper_took_is_made_again(tmp_path, monkeypatch):
    real, swept = atomic.fcntl.flock, []

    def swept_before_it_was_locked(handle, how):
        if not swept:
            (beside,) = tmp_path.iterdir()
            swept.append(beside)
            beside.unlink()
        return real(handle, how)

    monkeypatch.setattr(atomic.fcntl, "flock", swept_before_it_was_locked)
    atomic_write(tmp_path / "a", b"1")
    assert swept and (tmp_path / "a").read_bytes() == b"1" and os.listdir(tmp_path) == ["a"]


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    path, errors = tmp_path / "a", []

    def work(i):
        try:
            for _ in range(20):
                atomic_write(path, bytes([i]) * 5000)
                data = path.read_bytes()
                assert len(data) == 5000 and len(set(data)) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and os.listdir(tmp_path) == ["a"]
