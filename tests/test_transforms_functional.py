"""Functions on PIL images and Tensors: against Pillow, and their refusals."""

import numpy as np
import pytest
from pictures import Image, array, difference, pixels
from scipy import ndimage

import engine
from engine.vision import transforms as T
from engine.vision.transforms import functional as F

BILINEAR, BICUBIC = T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC


@pytest.fixture
def image():
    return Image.fromarray(pixels())


@pytest.fixture
def tensor(image):
    return F.pil_to_tensor(image)


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
