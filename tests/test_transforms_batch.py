"""Transforms on whole batches of bytes: the same as image by image, fused or not, on any number of threads."""

import numpy as np
import pytest
from checks import on_all_threads
from test_transforms import EVERY

import engine
from engine.generator import Generator, derived, drawing_from
from engine.vision import transforms as T
from engine.vision.transforms import batch, whole_batch

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)


def bytes_of(*shape, seed=0):
    return engine.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def seeded(f, *arguments, seed=5):
    with drawing_from(Generator().manual_seed(seed)):
        return f(*arguments)


RECIPES = [
    [T.ToTensor()],
    [T.ToTensor(), T.Normalize(MEAN, STD)],
    [T.RandomCrop(12, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(MEAN, STD)],
    [T.RandomCrop((9, 20), padding=(1, 2, 3, 4), pad_if_needed=True, fill=(1, 2, 3)), T.ToTensor()],
    [T.RandomHorizontalFlip(0.9), T.ToTensor(), T.RandomErasing(0.9)],
    [T.RandomCrop(12, padding=2, fill=99), T.ToTensor(), T.Normalize(0.5, 0.5), T.RandomErasing(0.8, value=(1, 2, 3))],
]
OTHERS = [
    [T.RandomHorizontalFlip(), T.RandomCrop(12, padding=4), T.ToTensor()],
    [T.RandomCrop(12, padding=4, padding_mode="reflect"), T.ToTensor()],
    [T.ToTensor(), T.RandomErasing(0.9), T.Normalize(MEAN, STD)],
    [T.ToTensor(), T.RandomErasing(0.9, value="random")],
    [T.RandomVerticalFlip(), T.ColorJitter(0.3, 0.3, 0.3, 0.1), T.ToTensor()],
    [T.RandomRotation(20), T.RandomAffine(5, (0.1, 0.1)), T.RandomResizedCrop(8), T.ToTensor()],
    [T.RandomApply([T.RandomGrayscale(0.5), T.Pad(0)]), T.CenterCrop(8), T.Resize(16), T.ToTensor()],
    [T.PILToTensor(), T.ConvertImageDtype(engine.float32)],
]


@pytest.mark.parametrize("steps", RECIPES + OTHERS, ids=lambda steps: " ".join(type(s).__name__ for s in steps))
def test_fused_or_not_the_batch_is_the_same(steps, isa):
    images, indices = bytes_of(30, 3, 12, 14), engine.tensor([3, 3, 29, 0, 11, 17, 5])
    assert (batch._Recipe.of(steps) is not None) == (steps in RECIPES)
    y = seeded(whole_batch(T.Compose(steps)), images, indices)
    one_by_one = seeded(T.Compose(steps).batch, images[indices])
    assert y.dtype == engine.float32 and y.shape == one_by_one.shape
    np.testing.assert_allclose(y.numpy(), one_by_one.numpy(), rtol=1e-5, atol=1e-6)
    again = seeded(whole_batch(T.Compose([T.Compose(steps[:1]), *steps[1:]])), images, indices)
    assert (again == y).all()
    assert seeded(whole_batch(T.Compose(steps)), images).shape == (30, *y.shape[1:])


@pytest.mark.parametrize("transform", [t for t, _ in EVERY if T.compose.can_batch(t)], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("floats", [False, True])
def test_a_batch_of_one_is_an_image(transform, floats):
    images = bytes_of(1, 3, 37, 53)
    images = images.float() / 255 if floats else images
    for seed in range(5):
        alone = seeded(transform, images[0], seed=seed)
        assert (seeded(transform.batch, images, seed=seed)[0] == alone).all()


@pytest.mark.parametrize("transform", [t for t, _ in EVERY if T.compose.can_batch(t)], ids=lambda t: type(t).__name__)
def test_every_image_has_draws_of_its_own(transform):
    same = bytes_of(1, 3, 37, 53).expand(40, 3, 37, 53)
    different = len({y.numpy().tobytes() for y in seeded(transform.batch, same)})
    fixed = (T.CenterCrop, T.Pad, T.Resize, T.Grayscale, T.Compose)
    nothing = isinstance(transform, fixed) or "None" in repr(transform) and isinstance(transform, T.ColorJitter)
    of_two = (T.RandomHorizontalFlip, T.RandomVerticalFlip, T.RandomGrayscale)
    assert (
        different == 1
        if nothing or isinstance(transform, T.RandomApply)
        else different >= (2 if isinstance(transform, of_two) else 20)
    )


def test_grey_images_without_a_channel_axis():
    images = bytes_of(10, 8, 8)
    f = whole_batch(T.Compose([T.RandomCrop(8, padding=1), T.ToTensor(), T.Normalize((0.13,), (0.3,))]))
    y = f(images, engine.tensor([1, 2]), Generator().manual_seed(0))
    assert y.shape == (2, 1, 8, 8)
    assert (f(images, engine.tensor([1, 2]), Generator().manual_seed(0)) == y).all()
    of_bytes = whole_batch(T.ToTensor())(images)[:, 0].numpy()
    np.testing.assert_allclose(of_bytes, images.numpy() / 255, rtol=1e-6)
    with pytest.raises(IndexError, match="index 10 at position 1 is out of range for 10 images"):
        f(images, engine.tensor([1, 10]))


def test_what_cannot_work_on_batches():
    class Mine(T.RandomCrop):
        def __call__(self, img):
            return super().__call__(img) * 2

    class Whole(T.RandomCrop):
        def batch(self, images):
            return images[..., :2, :2]

    ready = [T.ToTensor()]
    for bad in (T.Lambda(abs), T.RandomOrder(ready), T.RandomChoice(ready), T.ToPILImage(), Mine(3), T.RandomRotation(3, expand=True),
                T.RandomApply([T.Lambda(abs)]), T.Compose([T.Lambda(abs)]), abs):  # fmt: skip
        assert whole_batch(bad) is None and whole_batch(T.Compose([bad, *ready])) is None
    assert whole_batch(T.Compose([Whole(3), *ready]))(bytes_of(4, 3, 5, 5)).shape == (4, 3, 2, 2)
    with pytest.raises(ValueError, match="a batch cannot hold both"):
        whole_batch(T.RandomApply([T.Pad(1)]))(bytes_of(4, 3, 5, 5))


@pytest.mark.parametrize("steps", RECIPES + OTHERS, ids=lambda steps: " ".join(type(s).__name__ for s in steps))
def test_the_number_of_threads_does_not_matter(steps, isa_any_threads):
    images, f = bytes_of(20, 3, 12, 14), whole_batch(T.Compose(steps))
    on_all_threads(lambda: f(images, None, derived((1, 2), 3)).numpy())
