"""Transforms of Tensors against the functions of PyTorch that torchvision builds them from."""

import numpy as np
import pytest

import engine
from engine.vision import transforms as T
from engine.vision.transforms import functional as F

torch = pytest.importorskip("torch")
nearest, bilinear = T.InterpolationMode.NEAREST, T.InterpolationMode.BILINEAR


def both(*shape, dtype="float32", seed=0):
    a = np.random.default_rng(seed).random(shape) * (255 if dtype == "uint8" else 1)
    a = a.astype(dtype)
    return engine.from_numpy(a.copy()), torch.from_numpy(a.copy())


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(20, 31), (80, 90), (37, 10), (1, 1), (5, 106), (111, 7)], ids=str)
def test_resize(dtype, mode, antialias, size):
    x, t = both(2, 3, 37, 53, dtype=dtype)
    smooth = mode in ("bilinear", "bicubic")
    options = {"align_corners": False, "antialias": antialias} if smooth else {}
    truth = torch.nn.functional.interpolate(t.double() if dtype == "uint8" else t, size=size, mode=mode, **options)
    y = F.resize(x, size, T.InterpolationMode(mode), antialias=antialias)
    assert y.dtype == x.dtype
    if dtype == "uint8":
        assert np.abs(y.numpy().astype(int) - truth.clamp(0, 255).numpy()).max() <= 0.5 + 1e-3  # rounded to nearest
    else:
        np.testing.assert_allclose(y.numpy(), truth.numpy(), rtol=1e-5, atol=3e-6 if dtype == "float32" else 1e-12)


def grid_sample(t, matrix, size, mode, fill):
    """What torchvision's warps of Tensors do, in float64: a mask of ones is warped along, and fill blended by it."""
    h, w = t.shape[-2:]
    y, x = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).double() @ torch.tensor(matrix).T
    grid = (points * 2 / torch.tensor([w, h]) - 1)[None].expand(len(t), -1, -1, -1)
    t = torch.cat([t.double(), torch.ones_like(t[:, :1], dtype=torch.float64)], 1)
    out = torch.nn.functional.grid_sample(t, grid, mode=mode, padding_mode="zeros", align_corners=False)
    value, share = out[:, :-1], out[:, -1:]
    if fill is None:
        return value
    return value * share + (1 - share) * torch.tensor(fill, dtype=torch.float64).view(1, -1, 1, 1)


def inverse(center, angle, translate, scale, shear):
    """The map of a point of the new image into the old one, by composing the maps in homogeneous coordinates."""

    def move(x, y):
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])

    c, s, (tx, ty) = np.cos(np.radians(angle)), np.sin(np.radians(angle)), np.tan(np.radians(shear))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    shears = np.array([[1, 0, 0], [-ty, 1, 0], [0, 0, 1]]) @ np.array([[1, -tx, 0], [0, 1, 0], [0, 0, 1]])
    forward = (
        move(*translate) @ move(*center) @ (np.diag([scale, scale, 1]) @ turn @ shears) @ move(-center[0], -center[1])
    )
    return np.linalg.inv(forward)[:2]


@pytest.mark.parametrize("mode", [nearest, bilinear])
@pytest.mark.parametrize("fill", [None, [0.0, 0.0, 0.0], [0.2, 0.5, 0.9]], ids=str)
@pytest.mark.parametrize(
    "angle, translate, scale, shear, center",
    [(17, (0, 0), 1.0, (0, 0), None), (-33, (3, -2), 1.3, (10, 5), None), (8, (1, 4), 0.7, (0, -12), (5.5, 30))],
)
def test_affine(mode, fill, angle, translate, scale, shear, center):
    x, t = both(2, 3, 37, 53, dtype="float64")
    y = F.affine(x, angle, translate, scale, shear, mode, fill, center)
    matrix = inverse((26.5, 18.5) if center is None else center, angle, translate, scale, shear)
    truth = grid_sample(t, matrix, (37, 53), mode.value, fill).numpy()
    if mode is bilinear:
        np.testing.assert_allclose(y.numpy(), truth, atol=1e-10)
    else:
        assert (np.abs(y.numpy() - truth) > 1e-12).mean() < 1e-3  # points halfway between two pixels


@pytest.mark.parametrize("angle", [17, -140, 90])
def test_rotate(angle):
    x, t = both(1, 3, 37, 53, dtype="float64")
    matrix = inverse((26.5, 18.5), -angle, (0, 0), 1, (0, 0))
    truth = grid_sample(t, matrix, (37, 53), "bilinear", [0.5, 0.5, 0.5])
    np.testing.assert_allclose(F.rotate(x, angle, bilinear, fill=0.5).numpy(), truth.numpy(), atol=1e-10)
    grown = F.rotate(x, angle, bilinear, expand=True, fill=0.5)
    h, w = grown.shape[-2:]
    matrix[:, 2] += matrix[:, :2] @ [(53 - w) / 2, (37 - h) / 2]
    truth = grid_sample(t, matrix, (h, w), "bilinear", [0.5, 0.5, 0.5])
    np.testing.assert_allclose(grown.numpy(), truth.numpy(), atol=1e-10)


@pytest.mark.parametrize("mode, torchs", [("edge", "replicate"), ("reflect", "reflect"), ("constant", "constant")])
def test_pad(mode, torchs):
    x, t = both(2, 3, 9, 11)
    truth = torch.nn.functional.pad(t, (3, 5, 1, 4), mode=torchs, **({"value": 0.25} if mode == "constant" else {}))
    assert (F.pad(x, (3, 1, 5, 4), 0.25, mode).numpy() == truth.numpy()).all()


def test_gaussian_blur():
    x, t = both(2, 3, 20, 30)
    for (kx, ky), (sx, sy) in (((3, 5), (1.0, 2.0)), ((7, 1), (0.4, 1.0))):
        bells = [torch.exp(-0.5 * ((torch.arange(k) - (k - 1) / 2) / s) ** 2) for k, s in ((ky, sy), (kx, sx))]
        kernel = torch.outer(*(b / b.sum() for b in bells)).expand(3, 1, ky, kx)
        padded = torch.nn.functional.pad(t, (kx // 2, kx // 2, ky // 2, ky // 2), mode="reflect")
        truth = torch.nn.functional.conv2d(padded, kernel, groups=3)
        np.testing.assert_allclose(F.gaussian_blur(x, (kx, ky), (sx, sy)).numpy(), truth.numpy(), atol=1e-6)


def test_gradients_pass_through_what_is_differentiable():
    x, t = both(3, 8, 8)
    x.requires_grad_()
    t.requires_grad_()
    y = F.normalize(F.hflip(F.resize(F.pad(F.crop(x, 1, 1, 6, 6), 2), (7, 5))), 0.5, 0.25)
    u = torch.nn.functional.pad(t[:, 1:7, 1:7], (2, 2, 2, 2))[None]
    u = torch.nn.functional.interpolate(u, size=(7, 5), mode="bilinear", antialias=True)[0].flip(-1)
    ((u - 0.5) / 0.25).pow(2).sum().backward()
    y.pow(2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=1e-4)
