"""Padding: by a constant, and from the image itself."""

from __future__ import annotations


def _edges(n, before, after, mode):
    """For each side of an axis of n that is padded, the slices (place, source): what is put where, and where from."""
    end = before + n
    if mode == "circular":
        sources = slice(end - before, end), slice(before, before + after)
    elif mode == "reflect":  # about the outermost element: what lies i outside of it is what lies i inside
        last = end - 2 - after
        sources = slice(2 * before, before, -1), slice(end - 2, last if last >= 0 else None, -1)
    else:  # replicate: one element, again and again
        sources = slice(before, before + 1), slice(end - 1, end)
    places = slice(0, before), slice(end, end + after)
    return [(p, s) for p, s, width in zip(places, sources, (before, after), strict=True) if width]


class Padding:
    def pad(self, a, widths, value):
        """Constant padding by (before, after) per axis; negative widths crop."""
        kept = a[tuple([slice(max(-p, 0), n - max(-q, 0)) for n, (p, q) in zip(a.shape, widths, strict=True)])]
        if max(map(max, widths), default=0) <= 0:
            return self.copy(kept)
        y = self.full(tuple([n + p + q for n, (p, q) in zip(a.shape, widths, strict=True)]), value, a.dtype)
        inside = tuple([slice(max(p, 0), max(p, 0) + n) for n, (p, _) in zip(kept.shape, widths, strict=True)])
        self.assign(y, inside, kept)
        return y

    def pad_edges(self, a, widths, mode):
        """Padding by (before, after) >= 0 per axis with the image's own elements: 'reflect', 'replicate' or 'circular'."""
        y = self.pad(a, widths, 0)
        for axis, (n, width) in enumerate(zip(a.shape, widths, strict=True)):
            outer = (slice(None),) * axis
            for place, source in _edges(n, *width, mode):
                y[(*outer, place)] = y[(*outer, source)]
        return y

    def pad_edges_dx(self, g, widths, mode):
        """The gradient of the image: what arrives in the padding is added where it came from."""
        g = self.copy(g)
        for axis in reversed(range(g.ndim)):
            before, after = widths[axis]
            outer = (slice(None),) * axis
            for place, source in _edges(g.shape[axis] - before - after, before, after, mode):
                arrived = g[(*outer, place)]
                g[(*outer, source)] += arrived.sum(axis, keepdims=True) if mode == "replicate" else arrived
        return self.pad(g, [(-before, -after) for before, after in widths], 0)
