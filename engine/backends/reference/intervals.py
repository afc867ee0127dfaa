"""Sums and maxima over intervals along one axis, of which adaptive pooling and the gradients of resizing are made.

Few long intervals are taken one after the other; of many short ones the first elements together, then the second ones,
...: the number of steps stays below the square root of that of elements.
"""

from __future__ import annotations

from numpy import errstate


class Intervals:
    def _are_few_intervals(self, lengths):
        return int(lengths.max(initial=0)) > lengths.size

    def _elements_of_intervals(self, starts, lengths):
        """For t = 0, 1, ...: which intervals are longer than t, and where their element t lies."""
        for t in range(int(lengths.max(initial=0))):
            at = self.xp.nonzero(lengths > t)[0]
            yield at if at.size < lengths.size else slice(None), starts[at] + t

    def interval_sums(self, a, starts, ends, axis):
        """Along `axis`, the sum of a[starts[i]:ends[i]] for each i."""
        lengths, outer = ends - starts, (slice(None),) * axis
        sums = self.xp.zeros((*a.shape[:axis], lengths.size, *a.shape[axis + 1 :]), a.dtype)
        with errstate(all="ignore"):
            if self._are_few_intervals(lengths):
                for i in range(lengths.size):
                    sums[(*outer, i)] = a[(*outer, slice(int(starts[i]), int(ends[i])))].sum(axis)
            else:
                for at, elements in self._elements_of_intervals(starts, lengths):
                    sums[(*outer, at)] += a.take(elements, axis)
        return sums

    def interval_argmax(self, a, starts, ends, axis):
        """Along `axis`, where the first of the largest of a[starts[i]:ends[i]] lies for each i: int64. nan is the largest.

        No interval may be empty.
        """
        lengths, outer = ends - starts, (slice(None),) * axis
        best = self.xp.zeros((*a.shape[:axis], lengths.size, *a.shape[axis + 1 :]), "int64")
        if self._are_few_intervals(lengths):
            for i in range(lengths.size):
                start = int(starts[i])
                best[(*outer, i)] = a[(*outer, slice(start, int(ends[i])))].argmax(axis) + start
            return best
        largest = a.take(starts, axis)
        best += starts.reshape((-1,) + (1,) * (a.ndim - axis - 1))
        for at, elements in self._elements_of_intervals(starts, lengths):
            value, before = a.take(elements, axis), largest[(*outer, at)]
            better = (value > before) | ((value != value) & (before == before))
            places = elements.reshape((-1,) + (1,) * (a.ndim - axis - 1))
            largest[(*outer, at)] = self.xp.where(better, value, before)
            best[(*outer, at)] = self.xp.where(better, places, best[(*outer, at)])
        return best
