"""Downloads: checked, resumed, from several mirrors, put in place in one step; no test touches the network."""

import hashlib
import http.client
import io
import socket
import ssl
import urllib.error
from urllib.request import Request

import numpy as np
import pytest

from engine.vision.datasets import CIFAR10, CIFAR100, KMNIST, MNIST, DownloadError, FashionMNIST, download
from engine.vision.datasets.download import Remote, fetch

CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 600_000, dtype=np.uint8))
FILE = Remote("set.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
MIRROR, OTHER = "https://one.example/data/", "https://two.example/"
URL, OTHER_URL = MIRROR + FILE.name, OTHER + FILE.name


class Response(io.BytesIO):
    def __init__(self, body, status=200, headers=None, broken=None):
        super().__init__(body)
        self.status, self.headers, self.broken = status, headers or {}, broken

    def read(self, size=-1):
        data = super().read(size)
        if not data and self.broken:
            raise self.broken
        return data


class Server:
    """An opener: `answers` maps URLs to functions of the first byte wanted (None: all), or exceptions; remembers requests."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def __call__(self, request, timeout):
        assert isinstance(request, Request) and timeout == download.TIMEOUT
        wanted = request.get_header("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else None
        self.asked.append((request.full_url, start))
        answer = self.answers.get(request.full_url) or urllib.error.HTTPError(
            request.full_url, 404, "Not Found", {}, None
        )
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer(start)


def whole(start=None, content=CONTENT):
    """An answer with ranges, as a good server gives it."""
    if start is None:
        return Response(content, headers={"Content-Length": str(len(content))})
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Response(content[start:], 206, {"Content-Range": span, "Content-Length": str(len(content) - start)})


def without_ranges(start):
    return whole()


def cut(count, error=None):
    """A connection that ends (or breaks) after `count` bytes."""

    def answer(start):
        response = whole(start)
        return Response(response.getvalue()[:count], response.status, response.headers, error)

    return answer


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_fetches_and_puts_in_place(tmp_path):
    server = Server({URL: whole})
    fetch([FILE], [MIRROR], str(tmp_path / "new" / "folder"), server)
    assert (tmp_path / "new/folder/set.bin").read_bytes() == CONTENT and names(tmp_path / "new/folder") == ["set.bin"]
    assert server.asked == [(URL, None)]
    fetch([FILE], [MIRROR], str(tmp_path / "new" / "folder"), server)
    assert len(server.asked) == 1  # there already
    (tmp_path / "new/folder/set.bin").write_bytes(CONTENT[:-1] + b"x")
    fetch([FILE], [MIRROR], str(tmp_path / "new" / "folder"), server)
    assert (tmp_path / "new/folder/set.bin").read_bytes() == CONTENT and len(server.asked) == 2


BREAKS = {
    "refused": urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")),
    "no name": urllib.error.URLError(socket.gaierror(-2, "Name or service not known")),
    "timeout": TimeoutError("timed out"),
    "certificate": ssl.SSLCertVerificationError("certificate verify failed"),
    "bad line": http.client.BadStatusLine("?"),
    "500": urllib.error.HTTPError(URL, 500, "Internal Server Error", {}, None),
}


@pytest.mark.parametrize("error", BREAKS.values(), ids=BREAKS)
def test_the_next_mirror_takes_over(tmp_path, error):
    server = Server({URL: error, OTHER_URL: whole})
    fetch([FILE], [MIRROR, OTHER], str(tmp_path), server)
    assert (tmp_path / "set.bin").read_bytes() == CONTENT and server.asked == [(URL, None), (OTHER_URL, None)]


@pytest.mark.parametrize("error", [None, TimeoutError("timed out"), http.client.IncompleteRead(b"", 5)])
def test_goes_on_where_a_connection_ended(tmp_path, error):
    server = Server({URL: [cut(1000, error), whole]})
    fetch([FILE], [MIRROR], str(tmp_path), server)
    assert (tmp_path / "set.bin").read_bytes() == CONTENT and server.asked == [(URL, None), (URL, 1000)]
    server = Server({URL: cut(400_000, error), OTHER_URL: whole})
    fetch([FILE], [MIRROR, OTHER], str(tmp_path / "b"), server)
    assert server.asked == [(URL, None), (OTHER_URL, 400_000)] and names(tmp_path / "b") == ["set.bin"]


def test_a_partial_file_outlives_the_call(tmp_path):
    with pytest.raises(DownloadError, match="the connection ended after 1000 of 600000 bytes"):
        fetch([FILE], [MIRROR], str(tmp_path), Server({URL: [cut(1000), cut(0)]}))
    assert names(tmp_path) == ["set.bin.part"]
    server = Server({URL: whole})
    fetch([FILE], [MIRROR], str(tmp_path), server)
    assert server.asked == [(URL, 1000)] and names(tmp_path) == ["set.bin"]
    assert (tmp_path / "set.bin").read_bytes() == CONTENT


def test_servers_without_ranges_begin_anew(tmp_path):
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:5000])
    server = Server({URL: without_ranges})
    fetch([FILE], [MIRROR], str(tmp_path), server)
    assert server.asked == [(URL, 5000)] and (tmp_path / "set.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "part", [b"garbage", CONTENT + b"more", b"x" * len(CONTENT), CONTENT], ids=["short", "long", "other", "done"]
)
def test_odd_partial_files(tmp_path, part):
    (tmp_path / "set.bin.part").write_bytes(part)
    server = Server({URL: whole})
    fetch([FILE], [MIRROR], str(tmp_path), server)
    assert (tmp_path / "set.bin").read_bytes() == CONTENT and names(tmp_path) == ["set.bin"]
    assert len(server.asked) == (0 if part == CONTENT else 2 if part == b"garbage" else 1)


def test_a_range_that_is_refused(tmp_path):
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:10])
    refused = urllib.error.HTTPError(URL, 416, "Range Not Satisfiable", {}, None)
    server = Server({URL: [refused, whole]})
    fetch([FILE], [MIRROR], str(tmp_path), server)
    assert server.asked == [(URL, 10), (URL, None)] and (tmp_path / "set.bin").read_bytes() == CONTENT


HTML = b"<!DOCTYPE html><html>Sign in to continue</html>"
WRONG = {
    "html": (lambda start: Response(HTML, headers={"Content-Length": str(len(HTML))}), "the server offers 47 bytes, expected 600000"),
    "html without length": (lambda start: Response(HTML), "the connection ended after 47 of 600000 bytes|is not the published file"),
    "html of the right size": (lambda start: whole(None, HTML + bytes(600_000 - 47)), "not the published file"),
    "one bit": (lambda start: whole(None, CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])), "not the published file .*sha256"),
    "too long": (lambda start: Response(CONTENT + b"x"), "sends more than the 600000 bytes"),
    "endless": (lambda start: Response(CONTENT * 3), "sends more than the 600000 bytes"),
    "other part": (lambda start: Response(CONTENT[5:], 206, {"Content-Range": "bytes 5-599999/600000"}), "got status 206 bytes 5-"),
    "status": (lambda start: Response(b"", 204), "got status 204"),
    "gone": (urllib.error.HTTPError(URL, 404, "Not Found", {}, None), "404"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_nothing_else_gets_the_name(tmp_path, case):
    answer, message = WRONG[case]
    server = Server({URL: answer, OTHER_URL: answer})
    with pytest.raises(DownloadError, match=message) as caught:
        fetch([FILE], [MIRROR, OTHER], str(tmp_path), server)
    assert not (tmp_path / "set.bin").exists() and isinstance(caught.value, OSError)
    text = str(caught.value)
    assert text.startswith(f"could not download set.bin:\n  {URL}: ") and f"\n  {OTHER_URL}: " in text
    assert text.endswith(
        f"\nGet by hand, and put into {tmp_path}:\n  {URL} or {OTHER_URL} (600000 bytes, sha256 {FILE.sha256})"
    )
    assert 2 <= len(server.asked) <= 2 * download.PASSES
    fetch([FILE], [MIRROR], str(tmp_path), Server({URL: whole}))  # what is left over does no harm
    assert (tmp_path / "set.bin").read_bytes() == CONTENT


def test_only_https(tmp_path):
    server = Server({})
    for mirror in ("http://one.example/", "ftp://one.example/", "file:///etc/"):
        with pytest.raises(DownloadError, match="only https is used"):
            fetch([FILE], [mirror], str(tmp_path), server)
    assert server.asked == []
    opener = download._default_opener().__self__
    handler = next(h for h in opener.handlers if type(h).__name__ == "OnlyHttps")
    with pytest.raises(urllib.error.URLError, match="redirected to http://evil.example/, and only https is used"):
        handler.redirect_request(Request(URL), None, 302, "Found", {}, "http://evil.example/")
    assert (
        handler.redirect_request(Request(URL), None, 302, "Found", {}, "https://good.example/").host == "good.example"
    )


def test_progress_is_shown_to_a_terminal_only(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CI", raising=False)
    fetch([FILE], [MIRROR], str(tmp_path / "a"), Server({URL: whole}))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    fetch([FILE], [MIRROR], str(tmp_path / "b"), Server({URL: whole}))
    assert "set.bin" in capsys.readouterr().err


# ---- data sets


def tiny_mnist():
    import gzip
    import struct

    images = np.arange(2 * 784, dtype=np.uint32).astype(np.uint8)
    for part in ("train", "t10k"):
        yield (
            f"{part}-images-idx3-ubyte.gz",
            gzip.compress(struct.pack(">4I", 2051, 2, 28, 28) + images.tobytes(), mtime=0),
        )
        yield f"{part}-labels-idx1-ubyte.gz", gzip.compress(struct.pack(">2I", 2049, 2) + b"\x03\x04", mtime=0)


def test_mnist_downloads_what_is_missing(tmp_path, monkeypatch):
    contents = dict(tiny_mnist())
    files = [Remote(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    server = Server({MIRROR + name: (lambda start, d=data: whole(start, d)) for name, data in contents.items()})
    monkeypatch.setattr(MNIST, "files", files)
    monkeypatch.setattr(MNIST, "mirrors", (MIRROR,))
    monkeypatch.setattr(download, "_default_opener", lambda: server)
    with pytest.raises(FileNotFoundError, match="or pass download=True"):
        MNIST(tmp_path)
    assert not server.asked and not list(tmp_path.iterdir())
    dataset = MNIST(tmp_path, download=True)
    assert dataset.targets.tolist() == [3, 4] and len(server.asked) == 4
    assert names(tmp_path / "MNIST" / "raw") == sorted(contents)
    MNIST(tmp_path, train=False, download=True)
    assert len(server.asked) == 4
    with pytest.raises(DownloadError, match="could not download train-images-idx3-ubyte.gz:") as caught:
        monkeypatch.setattr(download, "_default_opener", lambda: Server({}))
        MNIST(tmp_path / "offline", download=True)
    by_hand = str(caught.value).partition(f"put into {tmp_path}/offline/MNIST/raw:")[2]
    assert all(
        f"\n  {MIRROR}{remote.name} ({remote.size} bytes, sha256 {remote.sha256})" in by_hand for remote in files
    )


def test_cifar_downloads_its_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "mirrors", (MIRROR, OTHER))
    server = Server({MIRROR + "cifar-10-binary.tar.gz": whole})  # of another size than the published archive
    monkeypatch.setattr(download, "_default_opener", lambda: server)
    with pytest.raises(DownloadError, match="(?s)cifar-10-binary.tar.gz.*offers 600000 bytes, expected 170052171"):
        CIFAR10(tmp_path, download=True)
    assert [url for url, _ in server.asked] == [m + "cifar-10-binary.tar.gz" for m in (MIRROR, OTHER)]
    assert names(tmp_path) == []


def test_published_files_are_well_described():
    for remote in (*MNIST.files, *FashionMNIST.files, *KMNIST.files, CIFAR10.archive, CIFAR100.archive):
        assert len(bytes.fromhex(remote.sha256)) == 32 and remote.size > 4000
    for kind in (MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100):
        assert all(m.startswith("https://") and m.endswith("/") for m in kind.mirrors)


def test_shared_files_are_the_published_ones(mnist_root, fashion_mnist_root):
    for kind, root in ((MNIST, mnist_root), (FashionMNIST, fashion_mnist_root)):
        assert all(download._is_genuine(root / remote.name, remote) for remote in kind.files)
