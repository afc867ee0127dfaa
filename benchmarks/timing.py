"""Timing: one side's turn, and which of several rounds of turns were left undisturbed."""

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


def quiet(rounds):
    """The rounds (each a list with one time per side) in which no side exceeded DISTURBED times its median."""
    limits = [DISTURBED * statistics.median(side) for side in zip(*rounds, strict=True)]
    return [times for times in rounds if all(t <= limit for t, limit in zip(times, limits, strict=True))]


def medians(rounds):
    """The median time of each side over the quiet rounds, and how many rounds those were."""
    kept = quiet(rounds) or rounds
    return [statistics.median(side) for side in zip(*kept, strict=True)], len(kept)
