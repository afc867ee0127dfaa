"""Random draws by counting: Philox4x32-10, as engine/generator.py defines it.

A `key` is (seed, stream); whoever holds it can draw the same values again. Word i of a draw is word i % 4 of block
i // 4; a 64-bit number is two words, the lower one first.
"""

from __future__ import annotations

import math

from numpy import errstate

_WORD = 0xFFFFFFFF


class Draws:
    def random_words(self, n, key):
        """The first n words of a draw, uint32 [n]."""
        xp = self.xp
        seed, stream = key
        count = -(-n // 4)
        block = xp.arange(count, dtype="uint64")
        c0, c1 = block & _WORD, block >> 32
        c2, c3 = (xp.full(count, half, "uint64") for half in (stream & _WORD, stream >> 32))
        k0, k1 = seed & _WORD, seed >> 32
        for _ in range(10):
            p, q = c0 * 0xD2511F53, c2 * 0xCD9E8D57
            c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q & _WORD, (p >> 32) ^ c3 ^ k1, p & _WORD
            k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
        return xp.stack([c0, c1, c2, c3], 1).astype("uint32").reshape(-1)[:n]

    def _numbers(self, n, key):
        """The first n 64-bit numbers of a draw."""
        words = self.random_words(2 * n, key).astype("uint64")
        return words[0::2] | words[1::2] << 32

    def uniform(self, shape, low, high, key, dtype):
        """low + (high - low) * u for u in [0, 1) of 24 bits (float32) or 53 (float64); less than high."""
        xp, n = self.xp, math.prod(shape)
        if dtype == "float32":
            u = (self.random_words(n, key) >> 8).astype("float64") / 2**24
        else:
            u = (self._numbers(n, key) >> 11).astype("float64") / 2**53
        number = xp.dtype(dtype).type
        y = (float(number(low)) + float(number(high - low)) * u).astype(dtype)
        top = xp.nextafter(number(high), number(low)) if low < high else number(high)
        return xp.minimum(y, top).reshape(shape)

    def normal(self, shape, mean, std, key, dtype):
        """mean + std * z for normal numbers z, computed in float64: elements 2j and 2j + 1 are r cos and r sin of a
        random angle, with r = sqrt(-2 log(u)) (Box and Muller 1958)."""
        xp, n = self.xp, math.prod(shape)
        pairs = -(-n // 2)
        if dtype == "float32":
            words = self.random_words(2 * pairs, key).astype("float64")
            u, turn = (words[0::2] + 1) / 2**32, words[1::2] / 2**32
        else:
            numbers = (self._numbers(2 * pairs, key) >> 11).astype("float64") / 2**53
            u, turn = 1 - numbers[0::2], numbers[1::2]
        quarter = xp.rint(turn * 4)
        t, quarter = (turn * 4 - quarter) * (math.pi / 2), quarter.astype("int64")
        odd = quarter & 1 == 1
        cosine, sine = xp.where(odd, xp.sin(t), xp.cos(t)), xp.where(odd, xp.cos(t), xp.sin(t))
        z = xp.stack([xp.where((quarter + 1) & 2, -cosine, cosine), xp.where(quarter & 2, -sine, sine)], 1)
        z = (xp.sqrt(-2 * xp.log(u))[:, None] * z).reshape(-1)[:n]
        return (mean + std * z).astype(dtype).reshape(shape)

    def integers(self, shape, low, high, key):
        """int64 from low to high - 1: low + floor(number * (high - low) / 2**64) for 64-bit numbers."""
        numbers, width = self._numbers(math.prod(shape), key), (high - low) % 2**64
        if width:  # the upper half of a product of 128 bits, by halves
            a, b, c, d = numbers >> 32, numbers & _WORD, width >> 32, width & _WORD
            middle = a * d + (b * d >> 32)
            numbers = a * c + (middle >> 32) + ((middle & _WORD) + b * c >> 32)
        return (numbers + self.xp.uint64(low % 2**64)).astype("int64").reshape(shape)

    def permutation(self, n, key):
        """The numbers 0..n-1 in random order: that of n random 64-bit numbers (equal ones stay in order)."""
        return self.xp.argsort(self._numbers(n, key), kind="stable").astype("int64")

    def dropout(self, x, p, key):
        """x * 1 / (1 - p) where the word of an element is at least p * 2**32, else x * 0."""
        keep = self.random_words(x.size, key).reshape(x.shape) >= min(round(p * 2**32), _WORD)
        return self.xp.asarray(x * (keep * x.dtype.type(0 if p == 1 else 1 / (1 - p))))

    def exponential(self, shape, rate, key, dtype):
        """-log(1 - u) / rate for u in [0, 1) of 53 bits."""
        u = self.uniform(shape, 0.0, 1.0, key, self.xp.dtype("float64"))
        return self.xp.asarray(-self.xp.log1p(-u) / rate).astype(dtype)

    def multinomial(self, p, count, replacement, key):
        """int64 [rows, count]: categories drawn with the weights p [rows, categories]."""
        xp, float64 = self.xp, self.xp.dtype("float64")
        rows, categories = p.shape
        if not replacement:  # each category arrives at a time of rate p; the first ones are taken
            with errstate(divide="ignore"):
                times = self.exponential(p.shape, 1.0, key, float64) / p
            return xp.argsort(xp.where(p > 0, times, xp.inf), 1, kind="stable")[:, :count]
        sums = xp.cumsum(p, 1, dtype=float64)
        at = self.uniform((rows, count), 0.0, 1.0, key, float64) * sums[:, -1:]
        last = categories - 1 - (p[:, ::-1] > 0).argmax(1)  # where rounding makes `at` the whole sum
        drawn = [xp.searchsorted(s, a, side="right") for s, a in zip(sums, at, strict=True)]
        return xp.minimum(xp.asarray(drawn, "int64").reshape(rows, count), last[:, None])
