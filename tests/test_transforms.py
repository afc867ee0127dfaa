"""Transforms on PIL images and Tensors: against Pillow, against each other, and what they draw."""

import math
import sys

import numpy as np
import pytest
from scipy import ndimage

import engine
from engine.generator import Generator, drawing_from
from engine.vision import transforms as T
from engine.vision.pillow import pillow
from engine.vision.transforms import functional as F
from engine.vision.transforms import v2

Image = pytest.importorskip("PIL.Image")
NEAREST, BILINEAR, BICUBIC = T.InterpolationMode.NEAREST, T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC


def pixels(height=37, width=53, seed=0):
    """A smooth image [H, W, 3] with some noise, uint8."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 90 * np.sin(x / 7 + c) + 20 * np.cos(y / 5 * c) for c in range(3)], -1)
    return (waves + np.random.default_rng(seed).normal(0, 5, waves.shape)).clip(0, 255).astype("uint8")


@pytest.fixture
def image():
    return Image.fromarray(pixels())


@pytest.fixture
def tensor(image):
    return F.pil_to_tensor(image)


def array(img):
    """[H, W, C] of a PIL image or a Tensor, as int64."""
    a = img.numpy().transpose(1, 2, 0) if isinstance(img, engine.Tensor) else np.asarray(img)
    return (a if a.ndim == 3 else a[:, :, None]).astype("int64")


def difference(f, image, tensor):
    """|f of the PIL image - f of the Tensor|."""
    a, b = array(f(image)), array(f(tensor))
    assert a.shape == b.shape
    return np.abs(a - b)


# ---- from and to PIL and NumPy


def test_to_tensor(image):
    a = np.asarray(image)
    for pic in (image, a, engine.from_numpy(a.transpose(2, 0, 1).copy())):
        x = T.ToTensor()(pic)
        assert x.shape == (3, 37, 53) and x.dtype == engine.float32
        assert (x.numpy() == (a.transpose(2, 0, 1).astype("float32") / 255)).all()
    assert F.to_tensor(a[:, :, 0]).shape == (1, 37, 53)
    assert F.to_tensor(a.astype("float64")).dtype == engine.float64 and F.to_tensor(a.astype("float64")).max() > 1
    assert F.to_tensor(a.astype("int32")).dtype == engine.int32
    assert (F.to_tensor(image.convert("1")).numpy() == (np.asarray(image.convert("1"))[None])).all()
    assert F.to_tensor(image.convert("L")).shape == (1, 37, 53) and F.to_tensor(image.convert("RGBA")).shape[0] == 4
    assert F.to_tensor(Image.fromarray(a[:, :, 0].astype("int32"))).dtype == engine.int32
    assert F.to_tensor(Image.fromarray(a[:, :, 0].astype("float32"))).dtype == engine.float32
    x = T.PILToTensor()(image)
    assert x.dtype == engine.uint8 and (array(x) == a).all()
    x.fill_(0)  # memory of its own
    assert (np.asarray(image) == a).all()


def test_to_tensor_refusals():
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray"):
        F.to_tensor([1, 2])
    with pytest.raises(TypeError, match="Got a Tensor of dtype float32"):
        F.to_tensor(engine.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="2/3 dimensional. Got 4"):
        F.to_tensor(np.zeros((1, 2, 3, 4)))
    with pytest.raises(TypeError, match="pic should be PIL Image"):
        F.pil_to_tensor(np.zeros((4, 4), "uint8"))


def test_to_pil_image(image, tensor):
    a = np.asarray(image)
    for pic in (tensor, a, tensor.float() / 255):
        back = T.ToPILImage()(pic)
        assert back.mode == "RGB" and (np.asarray(back) == a).all()
    assert F.to_pil_image(tensor[0]).mode == F.to_pil_image(a[:, :, :1]).mode == "L"
    assert F.to_pil_image(tensor[0].int()).mode == "I" and F.to_pil_image(tensor[:1].float(), "F").mode == "F"
    assert F.to_pil_image(tensor[:2]).mode == "LA" and F.to_pil_image(tensor, "HSV").mode == "HSV"
    assert (np.asarray(F.to_pil_image(tensor[:1].float(), "F")) == a[:, :, 0]).all()
    for error, pic, mode, text in (
        (TypeError, [1], None, "Tensor or ndarray"), (ValueError, engine.zeros(3), None, "2/3 dimensional"),
        (ValueError, engine.zeros(5, 4, 4), None, "> 4 channels"), (ValueError, tensor, "L", r"Incorrect mode \(L\)"),
        (TypeError, np.zeros((4, 4, 3), "int32"), None, "int32 with 3 channel"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            F.to_pil_image(pic, mode)


def test_convert_image_dtype(tensor):
    x = T.ConvertImageDtype(engine.float32)(tensor)
    assert (x == tensor.float() / 255).all() and F.convert_image_dtype(x, engine.float64).dtype == engine.float64
    assert (F.convert_image_dtype(x, engine.uint8) == tensor).all()
    assert F.convert_image_dtype(tensor, engine.uint8) is tensor
    wide = F.convert_image_dtype(tensor, engine.int16)
    assert wide.dtype == engine.int16 and (wide == tensor.to(engine.int16) * 128).all()
    assert (F.convert_image_dtype(wide, engine.uint8) == tensor).all()
    with pytest.raises(RuntimeError, match="float32 to int32 cannot be performed safely"):
        F.convert_image_dtype(x, engine.int32)
    with pytest.raises(TypeError, match="Tensor Image"):
        F.convert_image_dtype(np.zeros(3), engine.uint8)


def test_normalize(tensor):
    x = tensor.float() / 255
    y = T.Normalize((0.5, 0.4, 0.3), [0.2, 0.3, 0.4])(x)
    exact = (x.numpy() - np.reshape([0.5, 0.4, 0.3], (3, 1, 1))) / np.reshape([0.2, 0.3, 0.4], (3, 1, 1))
    np.testing.assert_allclose(y.numpy(), exact, rtol=1e-5, atol=1e-6)
    before = x.clone()
    assert (T.Normalize(0.5, 0.5)(x) == (x - 0.5) / 0.5).all() and (x == before).all()
    assert T.Normalize(0.5, 0.5, inplace=True)(x) is x and (x == (before - 0.5) / 0.5).all()
    for error, img, std, text in (
        (TypeError, tensor, 1, "float tensor. Got uint8; ToTensor"), (TypeError, np.zeros(3), 1, "Tensor Image"),
        (ValueError, x[0], 1, r"size \(\.\.\., C, H, W\)"), (ValueError, x, (1, 0, 1), "evaluated to zero"),
        (ValueError, x, (1, 1), "2 values of std for 3 channels"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            F.normalize(img, 0.5, std)


# ---- geometry: Tensors as Pillow


@pytest.mark.parametrize(
    "f",
    [
        F.hflip, F.vflip, lambda i: F.crop(i, 3, 5, 20, 30), lambda i: F.crop(i, -3, 40, 20, 30),
        lambda i: F.crop(i, 30, -4, 20, 30), lambda i: F.crop(i, 50, 60, 5, 5), lambda i: F.crop(i, -9, -20, 5, 30), lambda i: F.center_crop(i, 21),
        lambda i: F.center_crop(i, (60, 20)), lambda i: F.center_crop(i, [14, 81]), lambda i: F.pad(i, 4),
        lambda i: F.pad(i, (3, 1), (1, 2, 3)), lambda i: F.pad(i, (3, 1, 5, 7), 9), lambda i: F.pad(i, [2], 9),
        lambda i: F.pad(i, (-3, 1, 5, -7), 9), lambda i: F.pad(i, (-3, -4, 0, 0)),
        lambda i: F.pad(i, (3, 1, 5, 7), padding_mode="edge"), lambda i: F.pad(i, (3, 40, 5, 7), padding_mode="reflect"),
        lambda i: F.pad(i, (-3, 1, 5, -7), padding_mode="symmetric"),
        lambda i: F.resize(i, (20, 90), T.InterpolationMode.NEAREST_EXACT), lambda i: F.rotate(i, 90, expand=True),
        lambda i: F.rotate(i, 180), lambda i: F.rotate(i, -90, BILINEAR, expand=True),
    ],
)  # fmt: skip
def test_exactly_as_pillow(f, image, tensor):
    assert not difference(f, image, tensor).any()


@pytest.mark.parametrize("size", [20, [20], (20, 31), (80, 90), (37, 10), (1, 1)], ids=str)
@pytest.mark.parametrize("mode, most", [(BILINEAR, 1), (BICUBIC, 3)])
def test_resize_as_pillow(size, mode, most, image, tensor):
    d = difference(lambda i: F.resize(i, size, mode), image, tensor)
    assert d.max() <= most and d.mean() < 0.3


def test_sizes_of_resize(image):
    for size, limit, expected in (
        (20, None, (20, 28)),
        (37, None, (37, 53)),
        (20, 24, (17, 24)),
        ((9, 8), None, (9, 8)),
    ):
        assert F.get_dimensions(F.resize(image, size, max_size=limit))[1:] == list(expected)
        assert F.get_image_size(T.Resize(size, max_size=limit)(image))[::-1] == list(expected)
    assert F.get_dimensions(F.resize(image.transpose(2), 20))[1:] == [28, 20]
    assert F.resize(image, (37, 53)) is image
    for error, arguments, text in (
        (ValueError, (20, BILINEAR, 20), "must be strictly greater"), (TypeError, ("20",), "int or sequence"),
        (ValueError, ((1, 2, 3),), "1 or 2 element"), (ValueError, ((1, 2), BILINEAR, 3), "max_size should only"),
        (TypeError, (20, "bilinear"), "should be an InterpolationMode"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            F.resize(image, *arguments)
    with pytest.raises(ValueError, match="'lanczos' is for PIL images"):
        F.resize(engine.zeros(3, 4, 4), 2, T.InterpolationMode.LANCZOS)
    assert F.resize(image, 20, 1).size == (28, 20)  # Pillow's number of Lanczos


@pytest.mark.parametrize("angle", [0, 30, -77.5, 200])
@pytest.mark.parametrize(
    "options", [{}, {"expand": True}, {"center": (5, 7), "fill": [9, 8, 7]}, {"fill": 100}], ids=str
)
def test_rotate_as_pillow(angle, options, image, tensor):
    d = difference(lambda i: F.rotate(i, angle, **options), image, tensor)
    assert (d > 0).mean() < 0.01  # Pillow counts in 1/65536 of a pixel
    white = F.rotate(Image.new("L", image.size, 255), angle, BILINEAR, **{**options, "fill": 0})
    inside = ndimage.binary_erosion(np.asarray(white) == 255, iterations=2)  # at the border Pillow does otherwise
    d = difference(lambda i: F.rotate(i, angle, BILINEAR, **options), image, tensor)
    assert d.shape[:2] == inside.shape and inside.sum() > 50 and d[inside].max() <= 1


@pytest.mark.parametrize(
    "arguments",
    [(20, (3, -2), 1.2, (10, 5)), (-20, (3, -2), 0.8, (10, -5)), (0, (7, 5), 1.0, 0), (0, (0, 0), 1.0, [25])],
    ids=str,
)
@pytest.mark.parametrize("options", [{}, {"center": (3, 9), "fill": [1, 2, 3]}], ids=str)
def test_affine_as_pillow(arguments, options, image, tensor):
    d = difference(lambda i: F.affine(i, *arguments, **options), image, tensor)
    assert (d > 0).mean() < 0.01


def test_a_moved_image_is_moved(tensor):
    moved = F.affine(tensor, 0, (4, 3), 1.0, (0, 0))
    assert (
        (moved[:, 3:, 4:] == tensor[:, :-3, :-4]).all() and (moved[:, :3] == 0).all() and (moved[:, :, :4] == 0).all()
    )
    assert (F.rotate(tensor, 90, expand=True) == tensor.transpose(1, 2).flip(1)).all()
    assert F.rotate(engine.stack([tensor, tensor]), 10).shape == (2, 3, 37, 53)
    assert F.rotate(tensor[0], 10).shape == (37, 53)


def test_refused_warps(image, tensor):
    x = tensor.float().requires_grad_()
    for error, call, text in (
        (TypeError, lambda: F.rotate(image, "a"), "angle should be"),
        (TypeError, lambda: F.rotate(image, 3, center=4), "center should be a sequence"),
        (TypeError, lambda: F.affine(image, 3, 4, 1.0, 0), "translate should be a sequence"),
        (ValueError, lambda: F.affine(image, 3, (4,), 1.0, 0), "sequence of length 2"),
        (ValueError, lambda: F.affine(image, 3, (4, 4), 0.0, 0), "scale should be positive"),
        (ValueError, lambda: F.affine(image, 3, (4, 4), 1.0, (1, 2, 3)), "containing two values"),
        (ValueError, lambda: F.rotate(tensor, 3, fill=(1, 2)), "2 values of fill for an image of 3 channels"),
        (ValueError, lambda: F.rotate(tensor, 3, BICUBIC), "'bicubic' is unsupported"),
        (NotImplementedError, lambda: F.rotate(x, 3), "no gradient"),
        (TypeError, lambda: F.hflip(np.zeros((4, 4, 3))), r"ToTensor\(\) turns arrays"),
        (TypeError, lambda: F.hflip(engine.zeros(3)), "not a torch image"),
        (TypeError, lambda: F.pad(tensor, "a"), "inappropriate padding arg"),
        (ValueError, lambda: F.pad(tensor, (1, 2, 3)), "not a 3 element tuple"),
        (ValueError, lambda: F.pad(tensor, 1, padding_mode="mirror"), "either constant, edge, reflect or symmetric"),
        (TypeError, lambda: F.pad(tensor, 1, fill=None), "inappropriate fill arg"),
        (TypeError, lambda: F.center_crop(tensor, 2.5), "size must be an int"),
    ):
        with pytest.raises(error, match=text):
            call()


def test_erase(tensor):
    y = F.erase(tensor, 2, 3, 4, 5, 7)
    assert (y[:, 2:6, 3:8] == 7).all() and (y != tensor).sum() == (tensor[:, 2:6, 3:8] != 7).sum()
    assert F.erase(tensor, 0, 0, 1, 1, engine.zeros(3, 1, 1, dtype="uint8"), inplace=True) is tensor
    assert (tensor[:, 0, 0] == 0).all()
    with pytest.raises(TypeError, match="Tensor Image"):
        F.erase(np.zeros(3), 0, 0, 1, 1, 0)


# ---- colours


@pytest.mark.parametrize(
    "f, most",
    [
        (lambda i: F.adjust_brightness(i, 1.7), 0), (lambda i: F.adjust_brightness(i, 0.0), 0),
        (lambda i: F.adjust_contrast(i, 1.3), 1), (lambda i: F.adjust_contrast(i, 0.3), 1),
        (lambda i: F.adjust_saturation(i, 1.7), 1), (lambda i: F.adjust_saturation(i, 0.0), 1),
        (lambda i: F.rgb_to_grayscale(i), 1), (lambda i: F.rgb_to_grayscale(i, 3), 1), (lambda i: F.adjust_hue(i, 0.0), 13),
        (lambda i: F.adjust_hue(i, 0.2), 13), (lambda i: F.adjust_hue(i, -0.5), 13),  # Pillow's hues are bytes
        (lambda i: F.gaussian_blur(i, (3, 5), (1.0, 2.0)), 0),
    ],
)  # fmt: skip
def test_colours_as_pillow(f, most, image, tensor):
    d = difference(f, image, tensor)
    assert d.max() <= most and d.mean() < (1.5 if most == 13 else 0.7)
    floats = f(tensor.float() / 255)
    assert np.abs(array((floats * 255).round()) - array(f(tensor))).max() <= 1


def test_hues():
    primaries = (
        engine.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.3, 0.3, 0.3], [1, 1, 1], [0, 0, 0]])
        .t()
        .reshape(3, 2, 3)
    )
    third = F.adjust_hue(primaries, 1 / 3).reshape(3, 6).t()
    np.testing.assert_allclose(third[:3].numpy(), [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(third[3:].numpy(), [[0.3] * 3, [1] * 3, [0] * 3], atol=1e-6)
    back = F.adjust_hue(F.adjust_hue(engine.rand(3, 9, 9), 0.4), -0.4)
    engine.manual_seed(0)
    x = engine.rand(3, 9, 9)
    back = F.adjust_hue(F.adjust_hue(x, 0.4), -0.4)
    np.testing.assert_allclose(back.numpy(), x.numpy(), atol=1e-5)


def test_colours_of_grey_images_and_refusals(image, tensor):
    grey = tensor[:1]
    assert F.adjust_hue(grey, 0.3) is grey and F.adjust_saturation(grey, 0.3) is grey
    assert F.adjust_hue(image.convert("L"), 0.3).mode == "L"
    assert F.adjust_contrast(grey, 0.5).shape == F.rgb_to_grayscale(grey).shape == grey.shape
    assert F.rgb_to_grayscale(grey, 3).shape == (3, 37, 53) and F.to_grayscale(image, 3).mode == "RGB"
    for error, call, text in (
        (ValueError, lambda: F.adjust_brightness(tensor, -1), r"brightness_factor \(-1\) is not non-negative"),
        (ValueError, lambda: F.adjust_hue(image, 0.6), r"is not in \[-0.5, 0.5\]"),
        (TypeError, lambda: F.adjust_contrast(engine.zeros(2, 4, 4), 1), "permitted channel values"),
        (ValueError, lambda: F.rgb_to_grayscale(tensor, 2), "either 1 or 3"),
        (TypeError, lambda: F.rgb_to_grayscale(tensor[0]), "at least 3 dimensions"),
        (TypeError, lambda: F.to_grayscale(tensor), "should be PIL Image"),
        (ValueError, lambda: F.gaussian_blur(tensor, 4), "odd and positive"),
        (ValueError, lambda: F.gaussian_blur(tensor, 3, 0), "positive values"),
    ):
        with pytest.raises(error, match=text):
            call()


# ---- classes

EVERY = [
    (T.RandomCrop(32, padding=4), "RandomCrop(size=(32, 32), padding=4)"),
    (T.RandomCrop((30, 20)), "RandomCrop(size=(30, 20), padding=None)"),
    (T.RandomHorizontalFlip(), "RandomHorizontalFlip(p=0.5)"), (T.RandomVerticalFlip(0.3), "RandomVerticalFlip(p=0.3)"),
    (T.CenterCrop(10), "CenterCrop(size=(10, 10))"), (T.Pad(3), "Pad(padding=3, fill=0, padding_mode=constant)"),
    (T.Resize(12), "Resize(size=12, interpolation=bilinear, max_size=None, antialias=True)"),
    (T.RandomResizedCrop(8), "RandomResizedCrop(size=(8, 8), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bilinear, antialias=True)"),
    (T.ColorJitter(0.4, 0.4, 0.4, 0.1), "ColorJitter(brightness=(0.6, 1.4), contrast=(0.6, 1.4), saturation=(0.6, 1.4), hue=(-0.1, 0.1))"),
    (T.ColorJitter(), "ColorJitter(brightness=None, contrast=None, saturation=None, hue=None)"),
    (T.RandomRotation(10), "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)"),
    (T.RandomAffine(5, (0.1, 0.2), (0.8, 1.2), 4, BILINEAR, 3), "RandomAffine(degrees=[-5.0, 5.0], translate=(0.1, 0.2), scale=(0.8, 1.2), shear=[-4.0, 4.0], interpolation=bilinear, fill=3)"),
    (T.RandomAffine((1, 5)), "RandomAffine(degrees=[1.0, 5.0])"), (T.Grayscale(3), "Grayscale(num_output_channels=3)"),
    (T.RandomGrayscale(), "RandomGrayscale(p=0.1)"), (T.GaussianBlur(3), "GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))"),
    (T.RandomApply([T.Pad(0)], p=0.3), "RandomApply(\n    p=0.3\n    Pad(padding=0, fill=0, padding_mode=constant)\n)"),
    (T.RandomChoice([T.Pad(1)]), "RandomChoice(\n    Pad(padding=1, fill=0, padding_mode=constant)\n)(p=None)"),
    (T.RandomOrder([T.Pad(1)]), "RandomOrder(\n    Pad(padding=1, fill=0, padding_mode=constant)\n)"),
    (T.Compose([T.Pad(1), T.Lambda(lambda x: x)]), "Compose(\n    Pad(padding=1, fill=0, padding_mode=constant)\n    Lambda()\n)"),
]  # fmt: skip
TENSORS_ONLY = [
    (T.ToTensor(), "ToTensor()"), (T.PILToTensor(), "PILToTensor()"), (T.ToPILImage("RGB"), "ToPILImage(mode=RGB)"),
    (T.ToPILImage(), "ToPILImage()"), (T.ConvertImageDtype(engine.float32), "ConvertImageDtype()"),
    (T.Normalize((0.5,), (0.2,)), "Normalize(mean=(0.5,), std=(0.2,))"),
    (T.RandomErasing(), "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)"),
    (v2.MixUp(alpha=0.2, num_classes=10), "MixUp(alpha=0.2, num_classes=10)"),
]  # fmt: skip


@pytest.mark.parametrize("transform, text", EVERY + TENSORS_ONLY, ids=lambda v: type(v).__name__)
def test_repr(transform, text):
    assert repr(transform) == text


@pytest.mark.parametrize("transform", [t for t, _ in EVERY], ids=lambda t: type(t).__name__)
def test_every_transform_on_every_kind_of_image(transform, image, tensor):
    """The same draws do the same to a PIL image, to bytes, to floats and to a batch of them."""

    def run(img):
        with drawing_from(Generator().manual_seed(11)):
            return transform(img)

    of_pil, of_bytes, of_floats = run(image), run(tensor), run(tensor.float() / 255)
    both = run(engine.stack([tensor, tensor]))
    assert isinstance(of_pil, Image.Image) and of_bytes.dtype == engine.uint8 and of_floats.dtype == engine.float32
    assert list(of_bytes.shape) == list(of_floats.shape) == F.get_dimensions(of_pil)
    assert (both[0] == of_bytes).all() and (both[1] == of_bytes).all()
    d = np.abs(array(of_pil) - array(of_bytes))
    assert np.percentile(d, 90) <= 8, d.max()


def draws(transform, img, count=300, seed=0):
    with drawing_from(Generator().manual_seed(seed)):
        return [transform(img) for _ in range(count)]


def test_random_crop():
    x = engine.arange(4 * 4).reshape(1, 4, 4).float() + 1
    padded = np.pad(x.numpy(), ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    windows = {padded[..., i : i + 4, j : j + 4].tobytes() for i in range(3) for j in range(3)}
    assert {y.contiguous().numpy().tobytes() for y in draws(T.RandomCrop(4, padding=1, fill=-1.0), x)} == windows
    small = T.RandomCrop((6, 5), pad_if_needed=True, padding_mode="edge")(x)
    assert small.shape == (1, 6, 5) and set(small.flatten().tolist()) <= set(range(1, 17))
    with pytest.raises(ValueError, match=r"Required crop size \(7, 7\) is larger than input image size \(6, 6\)"):
        T.RandomCrop(7, padding=1)(x)
    top, left, height, width = T.RandomCrop.get_params(x, (2, 3))
    assert (height, width) == (2, 3) and 0 <= top <= 2 and 0 <= left <= 1


def test_flips_and_greys_have_their_probability(tensor):
    for make, changed in ((T.RandomHorizontalFlip, F.hflip(tensor)), (T.RandomVerticalFlip, F.vflip(tensor)),
                          (T.RandomGrayscale, F.rgb_to_grayscale(tensor, 3))):  # fmt: skip
        for p in (0.0, 0.25, 1.0):
            share = np.mean([bool((y == changed).all()) for y in draws(make(p=p), tensor, 400)])
            assert abs(share - p) < 0.07 and share == p or p == 0.25
        with pytest.raises(ValueError, match="interval"):
            make(p=1.5)


def test_random_resized_crop(tensor):
    engine.manual_seed(0)
    parts = np.array([T.RandomResizedCrop.get_params(tensor, (0.2, 0.6), (0.5, 2.0)) for _ in range(500)])
    top, left, height, width = parts.T
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 37).all() and (left + width <= 53).all()
    share, ratio = height * width / (37 * 53), width / height
    assert 0.18 < share.min() < 0.25 and 0.5 < share.max() < 0.63 and ratio.min() < 0.6 and 1.7 < ratio.max() < 2.2
    assert T.RandomResizedCrop.get_params(tensor, (1, 1), (4.0, 5.0)) == (12, 0, 13, 53)  # does not fit: the middle
    assert all(y.shape == (3, 8, 9) for y in draws(T.RandomResizedCrop((8, 9)), tensor, 20))
    with pytest.raises(ValueError, match=r"Scale should be of kind \(min, max\)"):
        T.RandomResizedCrop(3, scale=(1, 0.5))


def test_ranges_of_draws(tensor):
    engine.manual_seed(0)
    angles = np.array([T.RandomRotation.get_params([-10.0, 30.0]) for _ in range(500)])
    assert -10 <= angles.min() < -8 and 28 < angles.max() < 30
    sets = [T.RandomAffine.get_params([-5, 5], (0.1, 0.5), (0.8, 1.2), [-3, 3, 10, 20], (53, 37)) for _ in range(500)]
    moves, shears = np.array([s[1] for s in sets]), np.array([s[3] for s in sets])
    assert np.abs(moves).max(0).tolist() == [5, 18] and moves.dtype.kind == "i"
    assert np.abs(shears[:, 0]).max() <= 3 and 10 <= shears[:, 1].min() and 0.8 <= min(s[2] for s in sets) < 0.82
    assert T.RandomAffine.get_params([0, 0], None, None, None, (5, 5)) == (0.0, (0, 0), 1.0, (0.0, 0.0))
    jitters = [T.ColorJitter.get_params((0.6, 1.4), None, (0.5, 0.5), (-0.1, 0.1)) for _ in range(300)]
    assert len({tuple(j[0].tolist()) for j in jitters}) == 24 and all(j[2] is None and j[3] == 0.5 for j in jitters)
    assert 0.6 <= min(j[1] for j in jitters) < 0.63 and 0.09 < max(j[4] for j in jitters) <= 0.1
    assert 0.1 <= T.GaussianBlur.get_params(0.1, 2.0) < 2.0


def test_random_erasing(tensor):
    x = tensor.float() / 255 + 1
    ys = draws(T.RandomErasing(value=0), x)
    holes = [(y == 0)[0].numpy() for y in ys]
    areas = np.array([h.sum() for h in holes])
    assert abs((areas > 0).mean() - 0.5) < 0.1 and 0.01 < areas[areas > 0].min() / x[0].numel() < 0.04
    assert 0.25 < areas.max() / x[0].numel() < 0.36
    for h in holes[:50]:
        if h.any():
            rows, columns = np.flatnonzero(h.any(1)), np.flatnonzero(h.any(0))
            assert h[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    y = T.RandomErasing(p=1, value=(5, 6, 7))(x)
    assert [sorted(set(y[c].flatten().tolist()) - set(x[c].flatten().tolist())) for c in range(3)] == [[5], [6], [7]]
    noisy = T.RandomErasing(p=1, value="random")(x)
    assert (noisy != x).sum() > 50 and noisy.min() < 0.5
    assert (T.RandomErasing(p=0)(x) == x).all() and T.RandomErasing(p=1, inplace=True)(x) is x
    top, left, height, width, value = T.RandomErasing.get_params(x, (0.1, 0.2), (1, 1), [3])
    assert value.tolist() == [[[3.0]]] and abs(height - width) <= 1
    for error, options, text in (
        (TypeError, {"value": None}, "number or str or a sequence"), (ValueError, {"value": "black"}, "'random'"),
        (ValueError, {"scale": (0, 2)}, "between 0 and 1"), (TypeError, {"scale": 1}, "Scale should be a sequence"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            T.RandomErasing(**options)
    with pytest.raises(ValueError, match="either a single value or 3"):
        T.RandomErasing(p=1, value=(1, 2))(x)
    with pytest.raises(TypeError, match=r"ToTensor\(\) goes before it"):
        T.RandomErasing(p=1)(Image.new("RGB", (9, 9)))


def test_containers(tensor):
    calls = []
    steps = [T.Lambda(lambda x, i=i: calls.append(i) or x) for i in range(3)]
    engine.manual_seed(0)
    T.Compose(steps)(tensor)
    assert calls == [0, 1, 2]
    orders = set()
    for _ in range(60):
        calls.clear()
        T.RandomOrder(steps)(tensor)
        orders.add(tuple(calls))
    assert len(orders) == 6
    calls.clear()
    for _ in range(1000):
        T.RandomChoice(steps, p=[1, 0, 3])(tensor)
    assert calls.count(1) == 0 and 200 < calls.count(0) < 300
    calls.clear()
    for _ in range(1000):
        T.RandomApply(steps[:2], p=0.3)(tensor)
    assert calls.count(0) == calls.count(1) and 250 < calls.count(0) < 350
    for error, make in ((TypeError, lambda: T.Lambda(3)), (TypeError, lambda: T.RandomOrder(T.Pad(1))),
                        (ValueError, lambda: T.RandomChoice(steps, p=[1]))):  # fmt: skip
        with pytest.raises(error):
            make()


@pytest.mark.parametrize(
    "error, make, text",
    [
        (ValueError, lambda: T.RandomRotation(-5), "must be positive"),
        (ValueError, lambda: T.RandomRotation((1, 2, 3)), "length 2"),
        (ValueError, lambda: T.RandomAffine(5, translate=(2, 0)), "between 0 and 1"),
        (ValueError, lambda: T.RandomAffine(5, scale=(0, 1)), "positive"),
        (ValueError, lambda: T.RandomAffine(5, shear=(1, 2, 3)), "length 2 or 4"),
        (ValueError, lambda: T.RandomAffine(5, center=(1,)), "center should be a sequence of length 2"),
        (ValueError, lambda: T.ColorJitter(brightness=-1), "non negative"),
        (ValueError, lambda: T.ColorJitter(hue=0.7), "between -0.5 and 0.5"),
        (TypeError, lambda: T.ColorJitter(contrast=(1, 2, 3)), "single number or a list/tuple"),
        (ValueError, lambda: T.GaussianBlur(2), "odd and positive"),
        (ValueError, lambda: T.GaussianBlur(3, sigma=(2, 1)), r"\(min, max\)"),
        (ValueError, lambda: T.CenterCrop((1, 2, 3)), "only two dimensions"),
        (TypeError, lambda: T.CenterCrop("a"), "CenterCrop: size must be"),
        (TypeError, lambda: T.Resize("a"), "int or sequence"),
        (ValueError, lambda: T.Pad((1, 2, 3)), "3 element tuple"),
        (ValueError, lambda: T.Pad(1, padding_mode="mirror"), "either constant"),
        (TypeError, lambda: T.ConvertImageDtype("float"), "Argument dtype"),
    ],
)
def test_refused_arguments(error, make, text):
    with pytest.raises(error, match=text):
        make()


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"^PIL images need Pillow, .*: pip install 'engine\[vision\]'$"):
        pillow()
    assert T.ToTensor()(np.zeros((4, 4, 3), "uint8")).shape == (3, 4, 4)  # nothing else needs it
    with pytest.raises(ImportError, match="pip install"):
        F.to_pil_image(engine.zeros(3, 4, 4))


# ---- batches mixed with their labels


def test_mix_up():
    images, labels = engine.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 3, 3), engine.tensor([0, 1, 2, 1])
    engine.manual_seed(0)
    mixed, soft = v2.MixUp(alpha=0.5, num_classes=3)(images, labels)
    share = soft[0, 0].item()
    assert 0 < share < 1 and soft.shape == (4, 3) and np.allclose(soft.sum(1).numpy(), 1)
    np.testing.assert_allclose(soft[2].numpy(), [0, 1 - share, share], atol=1e-6)
    np.testing.assert_allclose(mixed[:, 0, 0, 0].numpy(), [3 * (1 - share), share, share * 2 + 1 - share, share * 3 + 2 * (1 - share)], atol=1e-6)  # fmt: skip
    again, softer = v2.MixUp(alpha=0.5)((images, soft))
    assert again.shape == images.shape and np.allclose(softer.sum(1).numpy(), 1)


def test_cut_mix():
    engine.manual_seed(1)
    images = engine.arange(4.0).reshape(4, 1, 1, 1).expand(4, 3, 16, 12).clone()
    labels, areas = engine.arange(4), []
    for _ in range(50):
        mixed, soft = v2.CutMix(num_classes=4)(images, labels)
        pasted = (mixed[1] == 0)[0].numpy()
        areas.append(pasted.mean())
        assert set(mixed[1].flatten().tolist()) <= {0, 1} and (mixed[1, 0] == mixed[1, 2]).all()
        np.testing.assert_allclose(soft[1].numpy(), [pasted.mean(), 1 - pasted.mean(), 0, 0], atol=1e-6)
        rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
        assert not len(rows) or pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert (images[:, 0, 0, 0] == engine.arange(4)).all() and 0.15 < np.mean(areas) < 0.6


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_follow_the_beta_distribution(alpha):
    from scipy import stats

    from engine.vision.transforms.mix import beta

    with drawing_from(Generator().manual_seed(1)):
        values = [beta(alpha, alpha) for _ in range(2000)]
    assert stats.kstest(values, stats.beta(alpha, alpha).cdf).pvalue > 1e-3 and not any(map(math.isnan, values))


def test_refused_mixtures():
    images, labels = engine.zeros(4, 3, 8, 8), engine.arange(4)
    for call, text in (
        (lambda: v2.MixUp(alpha=0), "alpha must be a positive number"),
        (lambda: v2.MixUp()(images, labels), "num_classes must be given"),
        (lambda: v2.MixUp(num_classes=3)(images, labels), r"labels must lie in 0\.\.2, got 0 to 3"),
        (lambda: v2.MixUp(num_classes=9)(images, engine.zeros(4, 3)), "3 classes, but num_classes is 9"),
        (lambda: v2.CutMix(num_classes=4)(images[:3], labels), r"expected float images \[4, C, H, W\]"),
        (lambda: v2.CutMix(num_classes=4)(images.to(engine.uint8), labels), "in uint8"),
        (lambda: v2.CutMix(num_classes=4)(images, [0, 1, 2, 3]), "got list"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
