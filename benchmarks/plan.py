"""A Plan: what one run of `versus` measures, how long, and beside whom; it opens the arenas that sections ask for."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import shapes, versus


@dataclass
class Plan:
    """A context manager: its arenas live as long.

    pythons: {name of the peer: interpreter}; compiled: whether torch.compile takes part
    """

    pythons: dict
    menu: shapes.Menu = shapes.FULL
    threads: int = 2
    rounds: int = 7
    seconds: float = 0.1
    compiled: bool = True
    arenas: dict = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def thread_counts(self):
        return sorted({1, self.threads})

    def arena(self, name="torch"):
        """The arena with PyTorch alone beside the engine, "avx2", in which it keeps to AVX2, or "all" with every peer."""
        if name not in self.arenas:
            pythons = {peer: path for peer, path in self.pythons.items() if name == "all" or peer == "torch"}
            self.arenas[name] = self.stack.enter_context(
                versus.arena(pythons, self.rounds, self.seconds, self.threads, self.compiled and name == "all",
                             **(versus.AVX2 if name == "avx2" else {}))
            )  # fmt: skip
        return self.arenas[name]

    def __enter__(self):
        self.stack.__enter__()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)
