"""Timing: one side's turn, which of several rounds of turns were left undisturbed, and what other processes did meanwhile."""

import os
import statistics
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # a second, of processes' CPU time
DISTURBED = 1.5  # times a side's median over all rounds


def turn(run, seconds, warm_up=0.25):
    """Median seconds of a call of `run()`, called for about `seconds`; calls before that warm up."""
    calls(run, seconds * warm_up, at_least=1)
    return statistics.median(calls(run, seconds, at_least=2))


def calls(run, seconds, at_least):
    """The seconds of each call of `run()`, called for `seconds` and as often as `at_least`."""
    times = []
    now = time.perf_counter()
    end = now + seconds
    while now < end or len(times) < at_least:
        run()
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times


def quiet(rounds, known=()):
    """The rounds (each a list with one time per side) in which no side exceeded DISTURBED times its median.

    `known` are times that the last sides were seen to reach before: they count instead of longer medians.
    """
    usual = [statistics.median(side) for side in zip(*rounds, strict=True)]
    for i, seconds in enumerate(known, len(usual) - len(known)):
        usual[i] = min(usual[i], seconds)
    return [times for times in rounds if all(t <= DISTURBED * u for t, u in zip(times, usual, strict=True))]


def medians(rounds, known=()):
    """The median time of each side over the quiet rounds (over all when there are none), and how many those were."""
    kept = quiet(rounds, known)
    return [statistics.median(side) for side in zip(*(kept or rounds), strict=True)], len(kept)


class Others:
    """CPU seconds that processes other than this one and its descendants have used since; only Linux tells (elsewhere: None)."""

    def __init__(self):
        self.wall, self.start = time.monotonic(), used_by_others()

    def cores(self):
        """How many cores they kept busy on average."""
        if self.start is None:
            return None
        return max(used_by_others() - self.start, 0.0) / (time.monotonic() - self.wall)


def used_by_others():
    """CPU seconds of all processes of this system less those of this process and what it started; None if unknown."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _wait, *rest = map(int, file.readline().split()[1:9])
        return (user + nice + system + sum(rest)) / TICKS - used_by_us()
    except OSError:
        return None


def used_by_us():
    """CPU seconds of this process and its descendants: those that live, and those that were waited for."""
    seconds, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid = int(folder.name)
        parents[pid], seconds[pid] = int(fields[1]), sum(map(int, fields[11:15])) / TICKS
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(seconds[pid] for pid in ours)
