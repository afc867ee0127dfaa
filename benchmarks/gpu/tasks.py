"""Training and inference as everywhere, but timed by events that the GPU passes between one step and the next."""

import statistics
from itertools import pairwise

from benchmarks import tasks

WARM_UP, FEWEST = 5, 10  # calls


class ByEvents:
    """Mixed into a task. `fw.mark()` is an event asked of the GPU; `fw.between(a, b)` waits for b, and tells the seconds."""

    def turn(self, seconds):
        """Median seconds of a call, of as many as take about `seconds`; nothing waits for the GPU before the last of them."""
        once = self._median(WARM_UP)
        return self._median(max(FEWEST, round(seconds / once)))

    def _median(self, calls):
        marks = [self.fw.mark()]
        for _ in range(calls):
            self.run()
            marks.append(self.fw.mark())
        self.fw.between(marks[0], marks[-1])
        return statistics.median(self.fw.between(a, b) for a, b in pairwise(marks))


class Training(ByEvents, tasks.Training):
    pass


class Inference(ByEvents, tasks.Inference):
    pass


TASKS = {"training": Training, "inference": Inference}
