"""RunFolder: the folder of one training run, with its model, learning curve and log."""

from __future__ import annotations

import csv
import itertools
import os
from dataclasses import asdict, fields

from engine.cli.command import CommandError
from engine.cli.fit import Epoch
from engine.extras import needed


class RunFolder:
    """A folder that belongs to this run alone: nothing that another run saved is ever written over.

    `say` prints and logs; `add_epoch` extends the curve; both reach the disk at once, so that a run
    that is cut short leaves a readable folder. Use it as a context manager.
    """

    def __init__(self, path: str, epochs: tuple[Epoch, ...] = ()):
        self.path = path
        self.model = os.path.join(path, "model.safetensors")
        self.checkpoint = os.path.join(path, "checkpoint.safetensors")
        self.curve_csv = os.path.join(path, "curve.csv")
        self.curve_png = os.path.join(path, "curve.png")
        self.log = os.path.join(path, "log.txt")
        self.epochs: list[Epoch] = []
        resumed = os.path.exists(self.checkpoint)
        self._log = open(self.log, "a" if resumed else "x", encoding="utf-8")
        self._csv = open(self.curve_csv, "w" if resumed else "x", encoding="utf-8", newline="")
        self._rows = csv.DictWriter(self._csv, [field.name for field in fields(Epoch)])
        self._rows.writeheader()
        for epoch in epochs:  # of the checkpoint: a run that was killed may have written more
            self.add_epoch(epoch)

    @classmethod
    def claim(cls, path: str) -> RunFolder:
        """The folder `path`, or `path-2`, `path-3`, ... when it holds something already.

        CommandError when it cannot be made or written: before the training, not after.
        """
        try:
            for candidate in itertools.chain([path], (f"{path.rstrip('/')}-{n}" for n in itertools.count(2))):
                os.makedirs(candidate, exist_ok=True)
                if not os.listdir(candidate):
                    break
            folder = cls(candidate)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CommandError(
                f"--out: cannot write to folder {path!r}: {reason}; choose another with --out"
            ) from error
        if candidate != path:
            folder.say(f"note: {path} holds an earlier run, which is kept; this one goes to {candidate}")
        return folder

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *exception) -> None:
        self._log.close()
        self._csv.close()

    def say(self, text: str) -> None:
        """Print a line and add it to the log."""
        print(text, flush=True)
        self._log.write(text + "\n")
        self._log.flush()

    def add_epoch(self, epoch: Epoch) -> None:
        """Add a row to the learning curve."""
        self.epochs.append(epoch)
        self._rows.writerow(asdict(epoch))
        self._csv.flush()

    def draw_curve(self) -> None:
        """Draw loss and accuracy to curve.png, or say in a line why not."""
        try:
            agg = needed("matplotlib.backends.backend_agg", "a drawing")
            figures = needed("matplotlib.figure", "a drawing")
        except ImportError as error:
            self.say(f"note: no curve.png: {error}")
            return
        numbers = [e.number for e in self.epochs]
        figure = figures.Figure(figsize=(9, 3.5), layout="constrained")
        agg.FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        left.plot(numbers, [e.loss for e in self.epochs], marker=".")
        left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
        right.plot(numbers, [100 * e.train_accuracy for e in self.epochs], marker=".", label="training")
        right.plot(numbers, [100 * e.test_accuracy for e in self.epochs], marker=".", label="test")
        right.set(xlabel="epoch", ylabel="accuracy in %")
        right.legend()
        figure.savefig(self.curve_png, dpi=120)

    def summary(self, next_step: str) -> str:
        """The last line of a run: where everything lies and what to type next."""
        curve = self.curve_png if os.path.exists(self.curve_png) else self.curve_csv
        return f"model: {self.model}  curve: {curve}  log: {self.log}  next: {next_step}"
