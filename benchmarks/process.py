"""What a process's own steps do to its memory: resident size, page faults, pool misses, marks for a trace of system calls."""

import os

MARKS = ("/steps begin", "/steps end")  # no such files; looking for them shows in a trace
try:
    import resource
except ImportError:  # not a Unix
    resource = None


def resident(key="VmRSS"):
    """Bytes of this process in memory (VmHWM: the most there ever were); None where the system does not tell."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))
    except (OSError, StopIteration):
        return None


def faults():
    """Minor page faults so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt if resource else None


def forget_peak():
    """VmHWM starts again from what is resident now; False where that cannot be."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return False
    return True


def watch(run, count, misses):
    """Call `run()` that often. {"before", "peak": bytes resident, "faults", "misses": how many more; None: not told}."""
    marked = forget_peak()
    before, counts = resident(), (faults(), misses())
    os.access(MARKS[0], os.F_OK)
    for _ in range(count):
        run()
    os.access(MARKS[1], os.F_OK)
    more = [None if new is None else new - old for old, new in zip(counts, (faults(), misses()), strict=True)]
    peak = resident("VmHWM") if marked else resident()
    return {"before": before, "peak": peak, "faults": more[0], "misses": more[1]}
