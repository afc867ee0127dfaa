"""Timing: one side's turn, which of several rounds of turns were left undisturbed, and what other processes did meanwhile."""

import os
import statistics
import time

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


def quiet(rounds, known=None):
    """The rounds (each a list with one time per side) in which no side exceeded DISTURBED times its median.

    `known` is a time that the last side was seen to reach before: it counts instead of a longer median.
    """
    usual = [statistics.median(side) for side in zip(*rounds, strict=True)]
    if known is not None:
        usual[-1] = min(usual[-1], known)
    return [times for times in rounds if all(t <= DISTURBED * u for t, u in zip(times, usual, strict=True))]


def medians(rounds, known=None):
    """The median time of each side over the quiet rounds (over all when there are none), and how many those were."""
    kept = quiet(rounds, known)
    return [statistics.median(side) for side in zip(*(kept or rounds), strict=True)], len(kept)


class Others:
    """CPU seconds that processes other than this one and `pids` have used since; only Linux tells (elsewhere: None)."""

    def __init__(self, pids):
        self.pids = [os.getpid(), *pids]
        self.wall, self.start = time.monotonic(), self._used()

    def cores(self):
        """How many cores they kept busy on average."""
        if self.start is None:
            return None
        return max(self._used() - self.start, 0.0) / (time.monotonic() - self.wall)

    def _used(self):
        try:
            with open("/proc/stat") as file:
                user, nice, system, _idle, _wait, *rest = map(int, file.readline().split()[1:9])
            own = 0
            for pid in self.pids:
                with open(f"/proc/{pid}/stat") as file:
                    own += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        except OSError:
            return None
        return (user + nice + system + sum(rest) - own) / os.sysconf("SC_CLK_TCK")
