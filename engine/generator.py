"""Random numbers by counting: a generator is a seed and a position, and a draw depends on nothing else.

The numbers are those of Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011): a keyed bijection that makes 128 random bits of each counter. The key is the seed, the upper half of the
counter the number of the draw (its stream), the lower half the position in the draw. So element i of a draw depends on
(seed, stream, i) alone: not on threads, workers or backends, and any of them can be made without the others.
"""

from __future__ import annotations

import os
import threading

from engine import backends
from engine.tensor import Tensor, wrap

_WORD = 0xFFFFFFFF


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """One block of Philox4x32-10: four 32-bit words from a counter of four and a key of two, lowest word first."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p, q = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q & _WORD, (p >> 32) ^ c3 ^ k1, p & _WORD
        k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
    return c0, c1, c2, c3


class Generator:
    """A stream of random numbers: a seed, and how many draws were `taken` from it.

    device: "cpu", or "cuda" where there is a GPU (RuntimeError otherwise). The numbers are the same, and either may be given
    to draws on any device; the state lies on the CPU.
    """

    def __init__(self, device="cpu"):
        self.device = backends.device(device)
        if self.device.type == "meta":
            raise RuntimeError("Generator: device 'meta' draws no numbers; use 'cpu' or 'cuda'")
        if self.device.type == "cuda":
            self.device = backends.device(backends.for_device(device).device)
        self._lock = threading.Lock()
        self.seed_value, self.taken = 0, 0

    def manual_seed(self, seed):
        """Start the stream of `seed` (an integer, negative ones modulo 2**64) from its beginning; returns self."""
        if not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected an integer, but got {seed!r}")
        seed = seed.__index__()
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed expects a seed of 64 bits, from -2**63 to 2**64 - 1, got {seed}")
        with self._lock:
            self.seed_value, self.taken = seed % 2**64, 0
        return self

    def seed(self):
        """Start a stream that the operating system chooses; returns its seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self.seed_value

    def initial_seed(self):
        """The seed the stream was started with."""
        return self.seed_value

    def next_key(self):
        """(seed, number of the draw): the key of one draw, of any size."""
        with self._lock:
            self.taken += 1
            return self.seed_value, self.taken

    def get_state(self):
        """The state, a uint8 Tensor [16]: seed, then number of draws taken, lowest byte first."""
        with self._lock:
            state = self.seed_value.to_bytes(8, "little") + self.taken.to_bytes(8, "little")
        k = backends.get("cpu")
        return wrap(k.from_numpy(backends.as_array(list(state), "uint8")), k)

    def set_state(self, state):
        """Go back to where `get_state` was called. TypeError unless `state` is a uint8 Tensor, RuntimeError for sizes
        other than 16."""
        if not isinstance(state, Tensor) or state.dtype.name != "uint8":
            got = f"a Tensor of dtype {state.dtype}" if isinstance(state, Tensor) else type(state).__name__
            raise TypeError(f"set_state expects the uint8 Tensor that get_state returned, got {got}")
        if state.shape != (16,):
            raise RuntimeError(f"set_state expects the 16 bytes that get_state returned, got shape {state.shape}")
        state = bytes(state.tolist())
        with self._lock:
            self.seed_value, self.taken = (int.from_bytes(half, "little") for half in (state[:8], state[8:]))
        return self

    def __reduce__(self):
        return _restored, (self.seed_value, self.taken, str(self.device))


def _restored(seed_value, taken, device="cpu"):
    """A Generator from its copy or pickle."""
    generator = Generator(device).manual_seed(seed_value)
    generator.taken = taken
    return generator


def derived(key: tuple[int, int], index: int) -> Generator:
    """Generator number `index` (0 to 2**64 - 1) of the family that belongs to `key`, a (seed, stream) of `next_key`.

    Its seed is half a Philox block of (key, index); the top bit of the stream, which no draw has set, keeps the family
    apart from the draw of the same key. So a loader may give sample `index` its own generator, whoever makes the sample.
    """
    (seed, stream), stream_bit = key, 1 << 63
    low, high, *_ = philox((*_words(index), *_words(stream | stream_bit)), _words(seed))
    return Generator().manual_seed(high << 32 | low)


def _words(n):
    """The low and the high half of 64 bits."""
    return n & _WORD, n >> 32


default_generator = Generator()


class _Scope(threading.local):
    generator = None


_scope = _Scope()


def chosen(generator=None):
    """The generator to draw from: the one given, else the one of the thread's `drawing_from`, else the default."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"generator must be an engine.Generator or None, got {type(generator).__name__}")
    return generator or _scope.generator or default_generator


class drawing_from:
    """`with drawing_from(generator):` draws of this thread that name no generator come from this one.

    The data loader wraps the making of each sample in it, so that augmentation does not depend on workers.
    """

    def __init__(self, generator):
        self.generator = generator

    def __enter__(self):
        self.before, _scope.generator = _scope.generator, self.generator

    def __exit__(self, *_):
        _scope.generator = self.before


def manual_seed(seed):
    """Seed the default generator; returns it."""
    return default_generator.manual_seed(seed)


def seed():
    """Seed the default generator by the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state():
    """The state of the default generator, a uint8 Tensor."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Bring the default generator back to the state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


class fork_rng:
    """`with engine.random.fork_rng():` draws inside leave the default generator as it was before.

    devices is accepted for torch's sake; `enabled=False` turns it off.
    """

    def __init__(self, devices=None, enabled=True):
        self.enabled = enabled

    def __enter__(self):
        self.before = get_rng_state()

    def __exit__(self, *_):
        if self.enabled:
            set_rng_state(self.before)
