"""A label out of range, noticed without waiting: kernels leave it on the GPU, and it is told of when the host waits anyway."""

from __future__ import annotations

_NOBODY = 2**64 - 1


class Suspect:
    """`array`, uint64 [4] on the GPU: the row of a label out of range or _NOBODY, the label, the number of classes, and
    which operation it was given to."""

    def __init__(self, xp):
        self.array = xp.full(4, _NOBODY, "uint64")
        self.names, self.possible = [], False

    def of(self, name):
        """The number of an operation that is about to leave a label, if it is given a wrong one."""
        self.possible = True
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def check(self):
        """IndexError for a label out of range that any kernel met since the last check. Waits for the GPU."""
        if not self.possible:
            return
        self.possible = False
        row, label, classes, operation = self.array.tolist()
        if row != _NOBODY:
            self.array.fill(_NOBODY)
            raise IndexError(
                f"{self.names[operation]}: label {label - 2**64 if label >> 63 else label} at position {row} is out of range "
                f"for {classes} classes (expected 0 to {classes - 1}); on a GPU this is noticed when a value is read"
            )
