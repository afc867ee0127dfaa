"""Memory that runs out, told in words; and copies from the host that take place beside the computation."""

from __future__ import annotations

import numpy

from engine.backends import OutOfMemoryError


def tell_when_out(xp):
    """Let CuPy's allocator, which all arrays come from, say what was asked for and what there is."""
    allocate = xp.cuda.get_allocator()
    if getattr(allocate, "tells", False):
        return

    def told(size):
        try:
            return allocate(size)
        except xp.cuda.memory.OutOfMemoryError as error:
            raise OutOfMemoryError(_shortage(xp, size)) from error

    told.tells = True
    xp.cuda.set_allocator(told)


def _shortage(xp, size):
    free, total = xp.cuda.runtime.memGetInfo()
    pool = xp.get_default_memory_pool()
    return (
        f"cuda:0 is out of memory: {_bytes(size)} were asked for; of the GPU's {_bytes(total)}, {_bytes(free)} are free, and "
        f"the pool holds {_bytes(pool.total_bytes())}, {_bytes(pool.used_bytes())} of them in use. Try a smaller batch, drop "
        "tensors that are no longer needed, and give back what the pool does not use: engine.cuda.empty_cache()"
    )


def _bytes(n):
    return f"{n} bytes" if n < 1 << 20 else f"{n / (1 << 20):.1f} MiB"


class Lane:
    """Copies to the GPU on a stream of their own, out of a few pinned buffers that are used in turn.

    An array is made on the stream that computes, so its memory goes back to that one: the copy waits for what was asked of
    that stream before, and who reads the array waits for the copy (`receive`).
    """

    def __init__(self, xp, turns):
        self.xp, self.stream = xp, xp.cuda.Stream(non_blocking=True)
        self.buffers, self.copied, self.turn = [None] * turns, [None] * turns, 0

    def send(self, arrays):
        """(arrays of the GPU, the event behind their copies); waits where the oldest buffer is still being read."""
        turn, self.turn = self.turn, (self.turn + 1) % len(self.buffers)
        if self.copied[turn] is not None:
            self.copied[turn].synchronize()
        starts, size = [], 0
        for a in arrays:
            starts.append(size)
            size += -(-a.nbytes // 64) * 64
        if self.buffers[turn] is None or len(numpy.frombuffer(self.buffers[turn], "uint8")) < size:
            self.buffers[turn] = self.xp.cuda.alloc_pinned_memory(max(size, 1))
        made = [self.xp.empty(a.shape, a.dtype) for a in arrays]
        self.stream.wait_event(self.xp.cuda.get_current_stream().record())
        for a, start, copy in zip(arrays, starts, made, strict=True):
            if a.size:
                pinned = numpy.frombuffer(self.buffers[turn], a.dtype, a.size, start).reshape(a.shape)
                pinned[...] = a
                copy.set(pinned, stream=self.stream)
        self.copied[turn] = self.stream.record()
        return made, self.copied[turn]

    def receive(self, event):
        """What is asked of the computing stream from now on comes after that copy."""
        self.xp.cuda.get_current_stream().wait_event(event)

    def close(self):
        """Wait until no copy is under way, so that buffers and arrays can go."""
        self.stream.synchronize()
