"""Batches on their way to the GPU while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import engine
from engine import backends
from engine.tensor import wrap

AHEAD = 2  # batches that are on their way beside the one in use
_END = object()


class Upload:
    """The batches of a loader with their Tensors on `device`: the same batches in the same order.

    On a GPU they are copied through pinned memory, two ahead, while it computes. An error of the loader is raised where its
    batch would have come. On the CPU batches pass through as they are.
    """

    def __init__(self, loader, device):
        self.loader, self.device = loader, engine.device(device)

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        if self.device.type != "cuda":
            yield from self.loader
            return
        k: Any = backends.for_device(self.device)
        lane, batches, under_way = k.lane(AHEAD + 1), iter(self.loader), deque()
        try:
            while True:
                while len(under_way) <= AHEAD and (not under_way or under_way[-1][2] is None):
                    under_way.append(_sent(batches, lane, k))
                batch, event, error = under_way.popleft()
                if error is not None:
                    if error is _END:
                        return
                    raise error
                lane.receive(event)
                yield batch
        finally:
            lane.close()


def _sent(batches, lane, k):
    """(batch, event, None) of the next batch; (None, None, what came instead) behind the last."""
    try:
        batch = next(batches)
    except StopIteration:
        return None, None, _END
    except Exception as error:  # raised in its turn
        return None, None, error
    arrays: list = []
    _each(batch, lambda t: arrays.append(t._host()))
    made, event = lane.send(arrays)
    copies = iter(made)
    return _each(batch, lambda t: wrap(next(copies), k)), event, None


def _each(batch, f):
    """A batch with f of each Tensor of the CPU in its place; containers as they were."""
    if isinstance(batch, engine.Tensor):
        return f(batch) if batch.device.type == "cpu" else batch
    if isinstance(batch, (str, bytes)):
        return batch
    if isinstance(batch, Mapping):
        return {key: _each(value, f) for key, value in batch.items()}
    if isinstance(batch, Sequence):
        values = [_each(value, f) for value in batch]
        return (
            type(batch)(*values) if hasattr(batch, "_fields") else tuple(values) if isinstance(batch, tuple) else values
        )
    return batch
