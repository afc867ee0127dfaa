"""Batches of bytes made into floats by one kernel: against NumPy image by image, on every instruction set."""

import numpy as np
import pytest
from checks import assert_close, on_all_threads

import engine
from engine import backends
from engine.ops.augment import augment_images, normalize_images, warp_images
from engine_ext import augment

REFERENCE = backends.get("reference")


def drawn(seed, shape, count, size):
    """Images and one of each per-image array, all arguments of the kernel."""
    rng = np.random.default_rng(seed)
    n, c, h, w = shape
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    windows = np.stack([rng.integers(-size[0] - 2, h + 2, count), rng.integers(-size[1] - 2, w + 2, count)], 1)
    holes = rng.integers(-3, max(size) + 3, (count, 4))
    fill, scale, shift, value = (rng.uniform(0.1, 2, c).tolist() for _ in range(4))
    return images, rng.integers(0, n, count), windows, rng.random(count) < 0.5, holes, size, fill, scale, shift, value


def image_by_image(images, indices, windows, flips, holes, size, fill, scale, shift, value):
    """What the kernel does, pixel by pixel, in float64."""
    out = np.empty((len(indices), images.shape[1], *size))
    for b, c, i, j in np.ndindex(*out.shape):
        row, column = windows[b][0] + i, windows[b][1] + (size[1] - 1 - j if flips[b] else j)
        inside = 0 <= row < images.shape[2] and 0 <= column < images.shape[3]
        v = float(images[indices[b], c, row, column]) if inside else fill[c]
        erased = holes[b][0] <= i < holes[b][0] + holes[b][2] and holes[b][1] <= j < holes[b][1] + holes[b][3]
        out[b, c, i, j] = value[c] if erased else v * scale[c] + shift[c]
    return out


@pytest.mark.parametrize(
    "shape, count, size",
    [((3, 2, 5, 6), 7, (5, 6)), ((2, 3, 7, 33), 5, (4, 40)), ((4, 1, 3, 3), 9, (1, 1)), ((1, 2, 8, 16), 3, (9, 0)),
     ((2, 1, 12, 17), 4, (20, 19))],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("seed", range(4))
def test_windows_mirrors_and_holes(shape, count, size, seed, isa_any_threads):
    arguments = drawn(seed, shape, count, size)
    exact = image_by_image(*arguments)
    assert_close(on_all_threads(augment.augment, *arguments), exact, 2e-6, "native")
    assert_close(REFERENCE.augment(*arguments), exact, 2e-6, "reference")


def test_windows_far_away_hold_the_fill(isa):
    images = np.full((1, 1, 4, 4), 9, np.uint8)
    far = [2**63 - 1, -(2**63), 2**62, -(2**62), 4, -3]
    windows = np.array([[far[i], 0] for i in range(6)] + [[0, far[i]] for i in range(6)])
    holes = np.array([[far[i], far[i], 2**62, 2**63 - 1] for i in range(6)] + [[0, 0, far[i], 1] for i in range(6)])
    for h in (None, holes):
        arguments = images, np.zeros(12, np.int64), windows, None, h, (3, 3), [5.0], [1.0], [0.0], [7.0]
        y = augment.augment(*arguments)
        assert set(np.unique(y)) <= {5.0, 7.0}
        if h is not None:
            assert (y[5] == 7).all() and (y[:5] == 5).all()
            assert (y[6:, :, :, 1:] == 5).all()


def test_refused_arrays_and_indices(isa):
    images = np.zeros((2, 3, 4, 4), np.uint8)
    rest = None, None, None, None, (4, 4), [0.0] * 3, [1.0] * 3, [0.0] * 3, [0.0] * 3
    assert augment.augment(images, *rest).shape == (2, 3, 4, 4)
    for bad in (images.astype(np.float32), images[0], images[:, :, ::2]):
        assert augment.augment(bad, *rest) is NotImplemented
    for position, bad in (
        (0, np.zeros(2, np.int32)), (0, [0, 1]), (1, np.zeros((2, 2), np.int32)), (1, np.zeros((3, 2), np.int64)),
        (2, np.zeros(2, np.uint8)), (2, np.zeros((2, 1), bool)), (3, np.zeros((2, 3), np.int64)),
    ):  # fmt: skip
        assert augment.augment(images, *rest[:position], bad, *rest[position + 1 :]) is NotImplemented
    for bad in (-1, 2, 2**62):
        for kernel in (augment.augment, REFERENCE.augment):
            with pytest.raises(IndexError, match=f"index {bad} at position 2"):
                kernel(images, np.array([0, 1, bad]), *rest[1:])
    with pytest.raises(ValueError, match="3 channel"):
        augment.augment(images, *rest[:-1], [0.0] * 2)


@pytest.mark.parametrize(
    "shape", [(7, 28, 28), (5, 3, 9, 11), (1, 1, 1), (0, 4, 4), (3, 3, 0, 2), (40, 3, 32, 32)], ids=str
)
def test_normalize_images(shape, isa):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    channels = shape[1] if len(shape) == 4 else 1
    mean, std = np.linspace(0.1, 0.5, channels).tolist(), np.linspace(0.2, 0.3, channels).tolist()
    x = images.reshape(shape[0], channels, *shape[-2:])
    exact = (x / 255 - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
    assert_close(normalize_images(engine.from_numpy(images), mean=mean, std=std).numpy(), exact, 2e-6, "all")
    if shape[0]:
        indices = np.random.default_rng(1).integers(0, shape[0], 13)
        y = normalize_images(engine.from_numpy(images), engine.from_numpy(indices), mean=mean, std=std)
        assert_close(y.numpy(), exact[indices], 2e-6, "some")


def test_odd_arguments():
    images = engine.zeros(2, 3, 4, 4, dtype="uint8")
    for error, arguments, options, text in (
        (TypeError, (images.float(),), {}, "expected uint8"),
        (engine.ShapeError, (images[0, 0],), {}, r"expects \[N, H, W\] or \[N, C, H, W\]"),
        (engine.ShapeError, (images, engine.zeros(1, 1, dtype="int64")), {}, r"expects indices \(1,\) in int64"),
        (engine.ShapeError, (images, None, engine.zeros(2, 3, dtype="int64")), {}, r"expects windows \(2, 2\)"),
        (engine.ShapeError, (images, None, None, engine.zeros(2)), {}, r"expects flips \(2,\) in bool, got .* float32"),
        (engine.ShapeError, (images,), {"mean": (0, 0)}, "2 values of mean for 3 channels"),
        (ValueError, (images,), {"std": (1, 0, 1)}, "std must be positive"),
        (engine.ShapeError, (images,), {"size": (-1, 4)}, "size must not be negative"),
        (IndexError, (images, engine.tensor([0, 2])), {}, "index 2 at position 1 is out of range for 2 images"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            augment_images(*arguments, **options)
    with pytest.raises(engine.ShapeError, match="float images"):
        warp_images(images, engine.zeros(2, 2, 3), size=(4, 4))
    with pytest.raises(engine.ShapeError, match=r"expects matrices \(2, 2, 3\)"):
        warp_images(images.float(), engine.zeros(1, 2, 3), size=(4, 4))


def test_a_warp_by_the_identity_and_by_whole_pixels():
    x = engine.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float()
    shifts = engine.tensor([[[1.0, 0, 0], [0, 1, 0]], [[1.0, 0, 2], [0, 1, -1]]], dtype=engine.float64)
    for bilinear in (False, True):
        y = warp_images(x, shifts, size=(4, 5), bilinear=bilinear, fill=(-1.0, -2.0, -3.0))
        assert (y[0] == x[0]).all()
        assert (y[1, :, 1:, :3] == x[1, :, :-1, 2:]).all()
        assert [(y[1, c, 0] == -1 - c).all().item() and (y[1, c, :, 3:] == -1 - c).all().item() for c in range(3)]
