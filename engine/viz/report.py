"""One HTML page about a trained network: self-contained, for a phone and a screen, in light and dark.

Pictures and curves are inside the page; nothing is fetched, and there is no script. All text that is passed in is escaped.
"""

from __future__ import annotations

import base64
import io
from html import escape

from engine.extras import needed

STYLE = """
:root { color-scheme: light dark; --line: #8886; --faint: #8883; --one: #1f77b4; --two: #d95f02; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
figure { margin: 1rem 0; } figcaption { font-size: .9rem; opacity: .8; }
img { max-width: 100%; height: auto; image-rendering: pixelated; display: block; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
td, th { padding: .15rem .5rem; text-align: right; border-bottom: 1px solid var(--faint); overflow-wrap: normal; }
td:first-child, th:first-child { text-align: left; } .facts td { text-align: left; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; }
"""
WIDTH, HEIGHT, LEFT, BELOW = 420, 240, 46, 28  # of a curve, and what its labels take


def page(title: str, facts: dict[str, object], sections: list[tuple[str, str, str]]) -> str:
    """The page. `facts`: name -> value at its head; sections: (heading, a sentence, HTML made by the functions below)."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items())
    body = "".join(
        f"<section><h2>{escape(h)}</h2><p>{escape(text)}</p>{html}</section>\n" for h, text, html in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><h1>{escape(title)}</h1><div class="wide"><table class="facts">{rows}</table></div>\n{body}</body></html>\n'
    )


def picture(pixels, caption: str) -> str:
    """A figure of bytes [H, W] or [H, W, 3]. Needs Pillow, the extra [vision]."""
    file = io.BytesIO()
    image = needed("PIL.Image", "a picture in the report").fromarray(pixels)
    image.save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(caption)}" width="{image.width}" height="{image.height}" '
        f'src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def curves(*plots: str) -> str:
    """Several curves side by side where there is room."""
    return f'<div class="curves">{"".join(plots)}</div>'


def curve(title: str, numbers: list[int], series: dict[str, list[float]], form: str = "{:.2f}") -> str:
    """Up to two lines over the same epochs, as an SVG; `form` writes the numbers at the axis."""
    values = [v for line in series.values() for v in line]
    low, high = min(values), max(values)
    span = high - low or 1.0
    steps = max(numbers[-1] - numbers[0], 1)

    def at(number: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - 12) * (number - numbers[0]) / steps
        return f"{x:.1f},{20 + (HEIGHT - BELOW - 26) * (high - value) / span:.1f}"

    parts = [f'<text x="{LEFT}" y="12">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        value = low + share * span
        x, y = at(numbers[0], value).split(",")
        end = at(numbers[-1] if len(numbers) > 1 else numbers[0] + 1, value).split(",")[0]
        parts.append(f'<line x1="{x}" y1="{y}" x2="{end}" y2="{y}" stroke="var(--line)"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{escape(form.format(value))}</text>'
        )
    for number, anchor in {numbers[0]: "start", numbers[-1]: "end" if len(numbers) > 1 else "start"}.items():
        x = at(number, low).split(",")[0]
        parts.append(f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">epoch {number}</text>')
    for line, colour in zip(series.values(), ("--one", "--two"), strict=False):
        points = [at(n, v) for n, v in zip(numbers, line, strict=True)]
        parts.append(f'<polyline fill="none" stroke="var({colour})" stroke-width="2" points="{" ".join(points)}"/>')
        dots = "".join('<circle r="2.5" cx="{}" cy="{}"/>'.format(*p.split(",")) for p in points)
        parts.append(f'<g fill="var({colour})">{dots}</g>')
    legend = ", ".join(
        f'<span style="color:var({colour})">{escape(name)}</span>'
        for name, colour in zip(series, ("--one", "--two"), strict=False)
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{legend}</figcaption></figure>"


def confusion_table(counts, classes) -> str:
    """A confusion matrix [K, K] with its numbers, a row for each class, cells the darker the larger their share."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in classes)
    rows = []
    for name, row in zip(classes, counts, strict=True):
        total = max(int(row.sum()), 1)
        cells = "".join(f'<td style="background:rgb(128 128 200 / {count / total:.2f})">{count}</td>' for count in row)
        rows.append(f"<tr><th>{escape(str(name))}</th>{cells}</tr>")
    return f'<div class="wide"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'


def layer_table(summary) -> str:
    """The layers of an `engine.summary`."""
    return f'<div class="wide">{summary._repr_html_()}</div>'
