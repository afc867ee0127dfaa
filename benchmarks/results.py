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

    def named(self):
        """{the cells that name a row: the row}."""
        return {tuple(row[: self.keys]): tuple(row) for row in self.rows}


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


def command_line(command, arguments, hidden=("--root", "--data", "--runs", "--output")):
    """What was typed, without the names of the user's own folders."""
    own = {i + 1 for i, argument in enumerate(arguments) if argument in hidden}
    return " ".join(["python -m benchmarks", command, *("..." if i in own else a for i, a in enumerate(arguments))])


@dataclass
class Results:
    """All that was measured: tables by title; which run each row is from; of each run its command and {name: text} of facts."""

    tables: dict = field(default_factory=dict)
    origins: dict = field(default_factory=dict)  # title -> commands, one a row
    runs: dict = field(default_factory=dict)  # command -> facts

    @classmethod
    def read(cls, path):
        """What the file holds; nothing when there is none."""
        if not Path(path).exists():
            return cls()
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls({t["title"]: Table(**t) for t in data["tables"]}, data["origins"], data["runs"])

    def add(self, tables, command, facts):
        """Tables of a run, which replace rows of the same name; runs of which nothing is left are forgotten."""
        for table in tables:
            old, rows, origins = self.tables.get(table.title), table.named(), {}
            if old is not None and list(old.columns) == list(table.columns):
                rows = {**old.named(), **rows}
                origins = dict(zip(old.named(), self.origins[table.title], strict=True))
            self.tables[table.title] = Table(table.title, table.columns, list(rows.values()), table.notes, table.keys)
            self.origins[table.title] = [command if key in table.named() else origins[key] for key in rows]
        self.runs[command] = facts
        used = {origin for origins in self.origins.values() for origin in origins}
        self.runs = {name: facts for name, facts in self.runs.items() if name in used}

    def write(self, path):
        """The file of figures; beside it the same to be read (.md)."""
        path = Path(path)
        tables = [asdict(table) for table in self.tables.values()]
        path.write_text(json.dumps({"runs": self.runs, "origins": self.origins, "tables": tables}, indent=0) + "\n")
        path.with_suffix(".md").write_text("\n".join(self.lines()).rstrip() + "\n", encoding="utf-8")

    def lines(self):
        """Markdown: how it was measured, what was aimed at, the tables."""
        from benchmarks import bars

        facts = list(self.runs.values())
        first = facts[0] if facts else {}
        common = {name: text for name, text in first.items() if all(f.get(name) == text for f in facts)}
        yield INTRODUCTION
        yield from (f"- {name}: {value}" for name, value in common.items())
        for number, (command, own) in enumerate(self.runs.items(), 1):
            yield f"\nRun {number}: `{command}`\n"
            yield from (f"- {name}: {value}" for name, value in own.items() if name not in common)
        yield ""
        aims = bars.table(self.tables)
        yield from aims.lines() if aims.rows else ()
        numbers = {command: str(number) for number, command in enumerate(self.runs, 1)}
        for title, table in self.tables.items():
            yield from table.lines()
            if len(numbers) > 1:
                yield f"From run {', '.join(sorted({numbers[origin] for origin in self.origins[title]}))}.\n"
