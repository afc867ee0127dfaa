"""The page about a run: what it holds, that it is self-contained and escaped, and that a browser shows it."""

import base64
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from test_cli import cli, environment, rejected  # noqa: F401  (cli is a fixture)

from engine.viz import report

Image = pytest.importorskip("PIL.Image", reason="Pillow, the extra [vision], is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HEADINGS = [
    "Learning curves", "Confusion matrix", "Worst errors", "Filters", "Activation maps", "What feature maps stand for",
    "Where it looks", "Layers",
]  # fmt: skip


class Page(HTMLParser):
    """Headings, pictures and everything that could be fetched."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.images, self.fetched = [], [], [], []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in ("meta", "img", "line", "circle", "polyline", "br"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(attributes["src"])
        self.fetched += [v for k, v in attributes.items() if k in ("src", "href") and not v.startswith("data:")]
        assert tag not in ("script", "link", "iframe", "object") and not any(k.startswith("on") for k in attributes)

    def handle_endtag(self, tag):
        if self.open and tag == self.open[-1]:
            self.open.pop()

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_data(self, text):
        if self.open and self.open[-1] == "h2":
            self.headings.append(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of digits, with its page."""
    folder = tmp_path_factory.mktemp("reported")
    arguments = [sys.executable, "-m", "engine", "train", "digits", "--epochs", "2", "--out", "run"]
    done = subprocess.run(
        arguments, cwd=folder, env=environment(), check=True, capture_output=True, text=True, timeout=300
    )
    assert f"report: {os.path.join('run', 'report.html')}" in done.stdout
    return folder / "run"


def test_train_leaves_a_page(run):
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.headings == HEADINGS and not page.fetched and "url(" not in text and "@import" not in text
    assert len(page.images) == 7  # LeNet-5 has two ReLUs with maps
    for source in page.images:
        with Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))) as image:
            assert np.ptp(np.asarray(image)) > 50
    accuracy = float((run / "curve.csv").read_text().splitlines()[-1].split(",")[3])
    assert f"{accuracy:.2%} after 2 epochs" in text and text.count("<polyline") == 3
    assert "color-scheme: light dark" in text
    assert [p.name for p in run.iterdir() if p.suffix == ".html"] == ["report.html"]


def test_report_again_and_without(cli, tmp_path, run):  # noqa: F811
    before = (run / "report.html").read_text(encoding="utf-8")
    result = cli("report", run)
    assert result.returncode == 0, result.stderr
    again = (run / "report.html").read_text(encoding="utf-8")
    assert re.sub(r"<tr><th>run</th>.*?</tr>|<h1>.*?</h1>", "", again) == re.sub(
        r"<tr><th>run</th>.*?</tr>|<h1>.*?</h1>", "", before
    )
    result = cli("train", "digits", "--model", "linear", "--epochs", 1, "--no-report", "--out", "w")
    assert result.returncode == 0 and not (tmp_path / "w" / "report.html").exists()
    result = cli("report", "w")
    headings = Page((tmp_path / "w" / "report.html").read_text(encoding="utf-8")).headings
    assert result.returncode == 0 and "Filters" in headings and "Activation maps" not in headings


def test_what_cannot_be_reported(cli, tmp_path):  # noqa: F811
    assert "there is no folder 'absent'" in rejected(cli("report", "absent"))
    (tmp_path / "empty").mkdir()
    assert "there is no file" in rejected(cli("report", "empty"))


def test_interrupted_writing_leaves_the_old_page(run, monkeypatch):
    from engine.cli import recipes, trained
    from engine.cli import report as command

    before = (run / "report.html").read_bytes()
    model, dataset, _ = trained.load(str(run))
    test = recipes.load(dataset, None, False)
    monkeypatch.setattr(os, "replace", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        command.write(str(run), model, dataset, test)
    assert (run / "report.html").read_bytes() == before
    assert [p.name for p in run.iterdir() if p.suffix == ".html"] == ["report.html"]


def test_text_is_escaped():
    evil = '<script>alert("1")</script>&'
    counts = np.eye(2, dtype="int64")
    pixels = np.zeros((2, 2, 3), "uint8")
    html = [
        report.confusion_table(counts, [evil, "b"]),
        report.picture(pixels, evil),
        report.curve(evil, [1, 2], {evil: [0.0, 1.0]}),
    ]
    text = report.page(evil, {evil: evil}, [(evil, evil, part) for part in html])
    Page(text)
    assert "<script" not in text and 'alt="&lt;script&gt;' in text


@pytest.mark.parametrize(("numbers", "values"), [([1], [0.5]), ([1, 2, 3], [1.0, 1.0, 1.0]), ([4, 5], [2.0, -1.0])])
def test_curves_stay_in_their_frame(numbers, values):
    svg = report.curve("a", numbers, {"x": values})
    for x, y in re.findall(r'cx="([-\d.]+)" cy="([-\d.]+)"', svg):
        assert 0 <= float(x) <= report.WIDTH and 0 <= float(y) <= report.HEIGHT


MEASURE = """<script>window.onload = () => {
  const wide = [...document.querySelectorAll('h1, h2, p, figure, img, svg, .wide')].filter(
    e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
  const boxes = [...document.querySelectorAll('section')].map(e => e.getBoundingClientRect());
  const over = boxes.filter((b, i) => i && b.top < boxes[i - 1].bottom - 1);
  const blank = [...document.images].filter(i => !i.complete || !i.naturalWidth);
  const seen = `width ${document.documentElement.clientWidth} text ${getComputedStyle(document.body).color} ` +
    `wide ${wide.length} over ${over.length} blank ${blank.length} of ${document.images.length}`;
  console.log('measured: ' + seen);
}</script></body>"""


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium to show the page in")
@pytest.mark.parametrize(("width", "mode"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_a_browser_shows_it(run, tmp_path, width, mode):
    """Nothing is wider than the window, sections do not overlap, every picture is there, text stands out in light and in
    dark; measured inside the browser, in a frame of that width, since a window is at least 500 pixels wide."""
    text = (run / "report.html").read_text(encoding="utf-8").replace("</body>", MEASURE)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    frame = f'<body style="color-scheme: {mode}"><iframe src="page.html" width="{width}" height="3000" frameborder="0">'
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html>{frame}</iframe></body>", encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync --enable-logging=stderr --allow-file-access-from-files "
    flags += f"--blink-settings=preferredColorScheme={int(mode == 'light')} --window-size=1400,3200 --hide-scrollbars"
    arguments = [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    shown = subprocess.run([*arguments, f"file://{tmp_path}/frame.html"], capture_output=True, text=True, timeout=120)
    measured = re.search(r'measured: ([^"]*)', shown.stderr)
    assert measured, shown.stderr
    ink = {"light": 0, "dark": 255}[mode]
    want = rf"width {width} text rgb\({ink}, {ink}, {ink}\) wide 0 over 0 blank 0 of [1-9]\d*"
    assert re.fullmatch(want, measured[1]), measured[1]
    assert "Uncaught" not in shown.stderr
