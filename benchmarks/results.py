"""Tables of figures: on the screen, in RESULTS.json, which runs of single sections add to, and in RESULTS.md."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.json")
INTRODUCTION = """\
# Measured

Written by `python -m benchmarks`. Each side ran in its own process, in turns within the same seconds, on the same arrays,
after its results had been compared with the other's. Times are medians over undisturbed rounds: one in which any side took
more than 1.5 times its median is dropped, and so is one in which the peak of multiply-adds, measured in turns as well, shows
that a core was busy elsewhere. *Quiet rounds* says how many were left. A dash is what was not measured. Machines differ and so
do days: read the ratios.
"""


@dataclass
class Table:
    """A title, what the columns are called, rows of text or numbers, and notes below. The first `keys` cells name a row."""

    title: str
    columns: tuple
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    keys: int = 1

    def lines(self):
        """Markdown, with columns aligned so that it reads well as plain text too."""
        rows = [[text(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        padded = ["| " + " | ".join(map(_pad, row, widths, range(len(row)))) + " |" for row in rows]
        rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
        return [f"## {self.title}", "", padded[0], rule, *padded[1:], "", *(f"{note}\n" for note in self.notes)]

    def __str__(self):
        return "\n".join(self.lines())

    def records(self):
        """Rows as {column: cell}."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def merged(self, old):
        """This table with the rows of an older one that it lacks; itself alone when their columns differ."""
        if old is None or tuple(old.columns) != tuple(self.columns):
            return self
        new = {tuple(row[: self.keys]): row for row in self.rows}
        kept = {tuple(row[: self.keys]): row for row in old.rows}
        return Table(self.title, self.columns, list({**kept, **new}.values()), self.notes, self.keys)


def ratio(a, b):
    """a / b; None when either is missing."""
    return a / b if a and b else None


def _pad(cell, width, column):
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def text(cell):
    """A cell: floats with three significant digits, None as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


@dataclass
class Results:
    """All that was measured: tables by title, and of each run its command and {name: text} of what figures depend on."""

    tables: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)  # command -> facts, the oldest first

    @classmethod
    def read(cls, path):
        """What the file holds; nothing when there is none."""
        if not Path(path).exists():
            return cls()
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls({table["title"]: Table(**table) for table in data["tables"]}, data["runs"])

    def add(self, tables, command, facts):
        """Tables of a run, which replace rows of the same name."""
        for table in tables:
            self.tables[table.title] = table.merged(self.tables.get(table.title))
        self.runs.pop(command, None)
        self.runs[command] = facts

    def write(self, path):
        """The file of figures; beside it the same to be read (.md)."""
        from benchmarks import bars

        data = {"runs": self.runs, "tables": [asdict(table) for table in self.tables.values()]}
        path = Path(path)
        path.write_text(json.dumps(data, indent=0) + "\n", encoding="utf-8")
        lines = [INTRODUCTION]
        for command, facts in self.runs.items():
            lines += [f"    {command}\n", *(f"- {name}: {value}" for name, value in facts.items()), ""]
        for table in (bars.table(self.tables), *self.tables.values()):
            lines += table.lines()
        path.with_suffix(".md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
