"""The lecture's way to write a network, [(CONV-RELU)*N-POOL?]*M-(FC-RELU)*K,SOFTMAX, read into a list of words.

    pattern  = [sequence ","] "SOFTMAX"
    sequence = term {"-" term}
    term     = (word | "(" sequence ")" | "[" sequence "]") ["*" count]
    word     = ("CONV" | "POOL") [size] ["/" stride] | "FC" [units] | "RELU", and "POOL" may end in "?"
    count    = a number, or a letter that stands for one

Upper or lower case, blanks anywhere between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

WORDS = ("CONV", "RELU", "POOL", "FC")
MOST = 1000  # words of a network
DEEPEST = 20  # brackets within brackets


class PatternError(ValueError):
    """A pattern that cannot be read or built; shows the pattern with a caret under the character."""

    def __init__(self, message: str, text: str, position: int):
        super().__init__(f"{message}\n  {text}\n  {' ' * position}^")
        self.position = position


@dataclass(frozen=True)
class Word:
    """One layer: its kind, the numbers written behind it, and where in the pattern it stands."""

    kind: str
    size: int | None
    stride: int | None
    optional: bool
    position: int


@dataclass(frozen=True)
class Pattern:
    """The words in order, repetitions written out; `mentioned`: the kinds that occur, also those repeated 0 times;
    `letters`: those that stand for numbers."""

    text: str
    words: tuple[Word, ...]
    mentioned: frozenset[str]
    letters: frozenset[str]

    def error(self, message: str, word: Word) -> PatternError:
        """A PatternError that points at a word."""
        return PatternError(message, self.text, word.position)


def parse(text: str, counts: Mapping[str, int]) -> Pattern:
    """The Pattern that `text` spells; `counts` are the numbers that letters in it stand for."""
    parser = _Parser(" ".join(text.splitlines()), counts)
    words = parser.pattern()
    return Pattern(parser.text, tuple(words), frozenset(parser.mentioned), frozenset(parser.letters))


class _Parser:
    """Recursive descent: a method for each rule of the grammar, which reads from `at` on and moves it."""

    def __init__(self, text, counts):
        self.text, self.counts, self.at, self.depth = text, counts, 0, 0
        self.mentioned: set[str] = set()
        self.letters: set[str] = set()

    def pattern(self) -> list[Word]:
        words = []
        if not self._softmax():
            words = self._sequence()
            self._expect(",", 'a "-" and another layer, or ",SOFTMAX" at the end')
            if not self._softmax():
                raise self._error("expected SOFTMAX")
        if self._next():
            raise self._error("expected nothing behind SOFTMAX")
        return words

    def _softmax(self) -> bool:
        return self._match("SOFTMAX(?![A-Z])") is not None

    def _sequence(self) -> list[Word]:
        words = self._term()
        while self._match("-"):
            words = words + self._term()
            self._check_length(words)
        return words

    def _term(self) -> list[Word]:
        start, opening = self._position(), self._match(r"[(\[]")
        if opening is None:
            words = [self._word()]
        else:
            self.depth += 1
            if self.depth > DEEPEST:
                raise self._error(f"brackets more than {DEEPEST} deep", start)
            words = self._sequence()
            closing = {"(": ")", "[": "]"}[opening]
            self._expect(closing, f'"-" or "{closing}" for the "{opening}" of character {start + 1}')
            self.depth -= 1
        if self._match(r"\*"):
            at, count = self._position(), self._count()
            self._check_length(words, count, at)
            words = words * count
        return words

    def _word(self) -> Word:
        start = self._position()
        spelled = self._match("[A-Z]+")
        if spelled is None:
            raise self._error(f'expected a layer ({", ".join(WORDS)}) or a "(" or "["', start)
        if spelled == "SOFTMAX":
            raise self._error('SOFTMAX stands at the end, behind a ","', start)
        if spelled not in WORDS:
            raise self._error(f"unknown layer {spelled}; there are {', '.join(WORDS)}", start)
        self.mentioned.add(spelled)
        size = self._number(allowed=spelled != "RELU")
        stride = None
        if self._match("/"):
            if spelled not in ("CONV", "POOL"):
                raise self._error(f"{spelled} has no stride", self.at - 1)
            stride = self._number()
            if stride is None:
                raise self._error('expected the stride behind "/"')
        optional = bool(self._match(r"\?"))
        if optional and spelled != "POOL":
            raise self._error("only POOL may be left open with a ?", self.at - 1)
        return Word(spelled, size, stride, optional, start)

    def _number(self, allowed: bool = True) -> int | None:
        """The positive number that follows at once, if one does."""
        start, digits = self.at, re.compile(r"\d+").match(self.text, self.at)
        if digits is None:
            return None
        if not allowed:
            raise self._error("no number may stand here", start)
        self.at = digits.end()
        if not 1 <= int(digits[0][:9]) <= 100_000:
            raise self._error("expected a number from 1 to 100000", start)
        return int(digits[0])

    def _count(self) -> int:
        start = self._position()
        if digits := self._match(r"\d+"):
            return int(digits) if len(digits) < 9 else MOST + 1
        letter = self._match("[A-Z](?![A-Z])")
        if letter is None:
            raise self._error('expected a number, or a letter such as N, behind "*"', start)
        if letter not in self.counts:
            raise self._error(f"{letter} has no value: write a number for it, or from_pattern(..., {letter}=2)", start)
        self.letters.add(letter)
        return self.counts[letter]

    def _check_length(self, words, count=1, position=None) -> None:
        if len(words) * count > MOST:
            raise self._error(f"more than {MOST} layers", position)

    def _next(self) -> str:
        """The character that comes, "" at the end."""
        return self.text[self._position() : self.at + 1]

    def _position(self) -> int:
        """Where the next character stands."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at

    def _match(self, expression: str) -> str | None:
        """What comes, in upper case, if it is this."""
        found = re.compile(expression, re.IGNORECASE).match(self.text, self._position())
        if found is None:
            return None
        self.at = found.end()
        return found[0].upper()

    def _expect(self, character: str, expected: str) -> None:
        if self._match(re.escape(character)) is None:
            raise self._error(f"expected {expected}")

    def _error(self, message: str, position: int | None = None) -> PatternError:
        return PatternError(message, self.text, self._position() if position is None else position)
