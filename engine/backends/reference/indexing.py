"""Reading and writing parts of an array. Kernels that write do so in place and return nothing."""

from __future__ import annotations

from numpy import errstate


def _is_array(item):
    return isinstance(item, bool) or hasattr(item, "ndim")


def _is_mask(item):
    return isinstance(item, bool) or item.dtype.kind == "b"


class Indexing:
    """An index is what stands between brackets: numbers, slices, None, ..., masks and arrays of positions."""

    def _steps(self, index):
        """An index as two: numbers, slices and None, which give a view; then the arrays, or None without any.

        That is PyTorch's order. NumPy counts numbers among the arrays, which gives x[0, :, [1, 2]] another shape.
        """
        basic, rest, several = [], [], False
        for item in index if isinstance(index, tuple) else (index,):
            if isinstance(item, (list, range)):
                item = self.xp.asarray(item, None if len(item) else "int64")
            if _is_array(item):
                basic += [slice(None)] * (self.xp.ndim(item) if _is_mask(item) else 1)
                rest.append(item)
                several = True
            else:
                basic.append(item)
                if not isinstance(item, int):
                    rest.append(item if item is Ellipsis else slice(None))
        if not any(item is Ellipsis for item in basic):
            basic.append(Ellipsis)  # a single element is an array too
        return tuple(basic), tuple(rest) if several else None

    def getitem(self, a, index):
        basic, rest = self._steps(index)
        return a[basic] if rest is None else a[basic][rest]

    def getitem_dx(self, g, index, shape, onto=None):
        """The gradient of an array of `shape`, added onto the array `onto` where there is one."""
        dx = self.full(shape, 0, g.dtype) if onto is None else onto
        basic, rest = self._steps(index)
        if rest is None and onto is None:
            self.assign(dx, basic, g)
        elif rest is None:
            self.add_part(dx, basic, g)
        elif all(_is_mask(item) for item in rest if _is_array(item)):  # no element twice
            dx[basic][rest] += g
        else:
            self.xp.add.at(dx[basic], rest, g)
        return dx

    def add_part(self, a, index, value):
        """a[index] += value for an index of numbers and slices."""
        a[index] += value

    def assign(self, a, index, value):
        """a[index] = value."""
        with errstate(invalid="ignore"):  # nan to an integer, as in PyTorch some number
            if index is Ellipsis:
                a[...] = value
                return
            basic, rest = self._steps(index)
            if rest is None:
                a[basic] = value
            else:
                a[basic][rest] = value

    def add_at(self, a, index, values):
        """a[index] += values, counting an element that is named twice twice."""
        self.xp.add.at(a, index, values)

    # ---- positions along one axis, an array of as many dimensions as `a`
    def take_along(self, a, indices, axis):
        return self.xp.take_along_axis(a, indices, axis)

    def put_along(self, values, indices, axis, shape):
        """Zeros of `shape` with `values` at `indices` along `axis`."""
        out = self.xp.zeros(shape, values.dtype)
        self.xp.put_along_axis(out, indices, values, axis)
        return out

    def assign_along(self, a, indices, values, axis):
        """The last of several values for one element stays."""
        self.xp.put_along_axis(a, indices, values, axis)

    def add_along(self, a, indices, values, axis):
        index = [
            self.xp.arange(n).reshape([-1 if i == d else 1 for i in range(a.ndim)]) for d, n in enumerate(indices.shape)
        ]
        index[axis] = indices
        self.xp.add.at(a, tuple(index), values)

    # ---- positions
    def nonzero(self, a):
        """[number of nonzeros, dimensions], in row-major order."""
        return self.xp.argwhere(a)

    def counted(self, repeats):
        """0 repeats[0] times, 1 repeats[1] times, ..."""
        return self.xp.repeat(self.xp.arange(len(repeats)), repeats)
