"""Tables of figures, on the screen and in RESULTS.md."""

from dataclasses import dataclass, field
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
INTRODUCTION = """\
# Measured

Written by `python -m benchmarks`; the command is below. Each side ran in its own process, in turns within the same
seconds, on the same arrays, after its results had been compared with the other's. Times are medians over undisturbed
rounds: one in which either side took more than 1.5 times its median is dropped. PyTorch is eager and stands at the
better of contiguous and channels_last memory. Machines differ and so do days: read the ratios.
"""


@dataclass
class Table:
    """A title, what the columns are called, rows of text or numbers, and notes below."""

    title: str
    columns: tuple
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def lines(self):
        """Markdown, with columns aligned so that it reads well as plain text too."""
        rows = [[text(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        padded = ["| " + " | ".join(map(_pad, row, widths, range(len(row)))) + " |" for row in rows]
        rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
        return [f"## {self.title}", "", padded[0], rule, *padded[1:], "", *(f"{note}\n" for note in self.notes)]

    def __str__(self):
        return "\n".join(self.lines())


def _pad(cell, width, column):
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def text(cell):
    """A cell: floats with three significant digits, None as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


def write(path, command, facts, tables):
    """RESULTS.md: the introduction, the command, facts about the machine as {name: text}, the tables."""
    lines = [INTRODUCTION, f"    {command}\n", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    for table in tables:
        lines += table.lines()
    Path(path).write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
