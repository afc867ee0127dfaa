"""Transforms as classes: what they print, draw and refuse; batches mixed with their labels."""

import math
import sys

import numpy as np
import pytest
from pictures import Image, array, pixels

import engine
from engine.generator import Generator, drawing_from
from engine.vision import transforms as T
from engine.vision.pillow import pillow
from engine.vision.transforms import functional as F
from engine.vision.transforms import v2

BILINEAR = T.InterpolationMode.BILINEAR


@pytest.fixture
def image():
    return Image.fromarray(pixels())


@pytest.fixture
def tensor(image):
    return F.pil_to_tensor(image)


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
    with pytest.raises(ImportError, match=r"^a PIL image needs Pillow, .*: pip install 'engine\[vision\]'$"):
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
