"""Pictures in folders, and images side by side."""

import importlib
import io
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.utils.data import DataLoader
from engine.vision import transforms as T
from engine.vision import utils
from engine.vision.datasets import (
    DatasetFolder,
    ImageFolder,
    read_image,
)

# ---- folders


@pytest.fixture
def picture_root(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    for path, colour in {
        "cat/b.png": (1, 2, 3),
        "cat/deep/er/a.PNG": (4, 5, 6),
        "ant/z.png": 7,
        "dog/a.jpg": (9, 9, 9),
    }.items():
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L" if isinstance(colour, int) else "RGB", (4, 3), colour).save(path)
    (tmp_path / "cat" / "notes.txt").write_text("not a picture")
    (tmp_path / "loose.png").write_bytes(b"")
    return tmp_path


def test_image_folder(picture_root):
    dataset = ImageFolder(picture_root)
    assert dataset.classes == ["ant", "cat", "dog"] and dataset.class_to_idx == {"ant": 0, "cat": 1, "dog": 2}
    assert [p[len(str(picture_root)) + 1 :] for p, _ in dataset.samples] == [
        "ant/z.png",
        "cat/b.png",
        "cat/deep/er/a.PNG",
        "dog/a.jpg",
    ]
    assert dataset.targets == [0, 1, 1, 2] and dataset.imgs is dataset.samples and len(dataset) == 4
    image, label = dataset[1]
    assert image.mode == "RGB" and image.size == (4, 3) and image.getpixel((0, 0)) == (1, 2, 3) and label == 1
    assert dataset[0][0].getpixel((3, 2)) == (7, 7, 7)
    loader = DataLoader(ImageFolder(picture_root, T.ToTensor(), lambda label: -label), 4, num_workers=2)
    ((batch, labels),) = loader
    assert batch.shape == (4, 3, 3, 4) and labels.tolist() == [0, -1, -1, -2]
    only = ImageFolder(picture_root, is_valid_file=lambda path: "/er/" in path, allow_empty=True)
    assert only.targets == [1]


def test_folders_of_anything(tmp_path):
    for name in ("a/1.npy", "a/2.txt", "b/3.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    dataset = DatasetFolder(tmp_path, lambda path: Path(path).read_text(), extensions=".npy", transform=str.upper)
    assert [dataset[i] for i in range(2)] == [("A/1.NPY", 0), ("B/3.NPY", 1)]
    with pytest.raises(FileNotFoundError, match="no valid file for the classes b in .*; expected files ending in .txt"):
        DatasetFolder(tmp_path, open, extensions=(".txt",))
    assert DatasetFolder(tmp_path, open, extensions=(".txt",), allow_empty=True).targets == [0]
    with pytest.raises(FileNotFoundError, match="found no class folder in"):
        DatasetFolder(tmp_path / "a", open, extensions=(".txt",))
    with pytest.raises(FileNotFoundError):
        DatasetFolder(tmp_path / "nowhere", open, extensions=(".txt",))
    for both in ({}, {"extensions": (".txt",), "is_valid_file": str}):
        with pytest.raises(ValueError, match="either extensions or is_valid_file"):
            DatasetFolder(tmp_path, open, **both)


def test_pictures_that_are_none(picture_root):
    (picture_root / "dog" / "b.png").write_bytes(b"<html>404</html>")
    dataset = ImageFolder(picture_root, T.ToTensor())
    with pytest.raises(OSError, match=r"(?s)cannot identify image file .*sample 4 of ImageFolder, worker 0"):
        list(DataLoader(dataset, num_workers=1))
    good = (picture_root / "dog" / "a.jpg").read_bytes()
    (picture_root / "dog" / "b.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(OSError, match="sample 4 of ImageFolder"):
        list(DataLoader(dataset))


def test_the_limit_of_pixels_stays_in_force(tmp_path, monkeypatch):
    Image = pytest.importorskip("PIL.Image")
    assert Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS <= 2**27
    Image.new("1", (100, 100)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        read_image(tmp_path / "a.png")


def test_image_folder_without_pillow_says_what_to_type(picture_root, monkeypatch):
    def missing(name, *args, **kwargs):
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"^.*Pillow.*pip install 'engine\[vision\]'$") as caught:
        ImageFolder(picture_root)
    assert "\n" not in str(caught.value)
    ImageFolder(picture_root, loader=str)


# ---- grids


def test_make_grid():
    x = engine.arange(5 * 3 * 2 * 2).reshape(5, 3, 2, 2).float()
    grid = utils.make_grid(x, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 3 + 1)
    expected = np.full((3, 7, 10), -1.0, np.float32)
    for i in range(5):
        top, left = i // 3 * 3 + 1, i % 3 * 3 + 1
        expected[:, top : top + 2, left : left + 2] = x.numpy()[i]
    np.testing.assert_array_equal(grid.numpy(), expected)
    assert utils.make_grid(x[:2]).shape == (3, 2 + 4, 2 * 4 + 2)
    assert utils.make_grid(x[0]).tolist() == utils.make_grid(x[:1]).tolist() == x[0].tolist()
    grey = utils.make_grid([engine.ones(1, 2, 2), engine.zeros(1, 2, 2)], padding=0)
    assert grey.shape == (3, 2, 4) and grey[0].tolist() == [[1, 1, 0, 0]] * 2
    assert utils.make_grid(engine.ones(4, 5)).shape == (3, 4, 5)
    bytes_ = utils.make_grid(x.to(engine.uint8))
    assert bytes_.dtype == engine.uint8
    leaf = engine.ones(2, 3, 2, 2, requires_grad=True)
    assert not utils.make_grid(leaf).requires_grad


def test_make_grid_normalizes():
    x = engine.tensor([0.0, 2.0, 4.0, 10.0]).reshape(2, 1, 1, 2)
    assert utils.make_grid(x, padding=0, normalize=True)[0].tolist() == [
        [0.0, pytest.approx(0.2), pytest.approx(0.4), 1.0]
    ]
    each = utils.make_grid(x, padding=0, normalize=True, scale_each=True)[0].tolist()
    assert each == [[0.0, 1.0, 0.0, 1.0]]
    ranged = utils.make_grid(x, padding=0, normalize=True, value_range=(2.0, 4.0))[0].tolist()
    assert ranged == [[0.0, 0.0, 1.0, 1.0]]
    assert x.reshape(-1).tolist() == [0.0, 2.0, 4.0, 10.0]
    with pytest.raises(TypeError, match="tensor or list of tensors expected"):
        utils.make_grid([1, 2])
    with pytest.raises(TypeError, match=r"value_range has to be a tuple"):
        utils.make_grid(x, normalize=True, value_range=[0, 1])
    with pytest.raises(ValueError, match=r"got shape \(1, 1, 2, 1, 2\)"):
        utils.make_grid(engine.ones(1, 1, 2, 1, 2))


def test_save_image(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    x = engine.tensor([0.0, 0.25, 0.5, 1.5]).reshape(1, 2, 2)
    utils.save_image(x, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB" and np.asarray(image)[..., 1].tolist() == [[0, 64], [128, 255]]
    buffer = io.BytesIO()
    utils.save_image(engine.rand(3, 3, 4, 4), buffer, format="png", nrow=3)
    buffer.seek(0)
    assert Image.open(buffer).size == (3 * 6 + 2, 4 + 4)
