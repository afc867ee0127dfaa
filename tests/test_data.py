"""Data sets and the loader: layouts on disk, the digits' split, batches, and what goes wrong with them."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

import engine
from engine.utils.data import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split
from engine.vision.datasets import MNIST, Digits, FashionMNIST, ImageDataset
from engine.vision.models import MODELS
from engine.vision.transforms import RandomCrop

# ---- MNIST on disk


def write_mnist(folder, count=3, size=28, labels=None, packed=True):
    """Both parts of a tiny MNIST in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(count) % 10 if labels is None else np.array(labels)
    images = np.full((count, size, size), 7, np.uint8)
    for part in ("train", "t10k"):
        files = {
            f"{part}-images-idx3-ubyte": struct.pack(">4I", 2051, *images.shape) + images.tobytes(),
            f"{part}-labels-idx1-ubyte": struct.pack(">2I", 2049, len(labels)) + labels.astype(np.uint8).tobytes(),
        }
        for name, content in files.items():
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "kind, folder",
    [
        (MNIST, "MNIST/raw"),
        (MNIST, "mnist"),
        (MNIST, "."),
        (FashionMNIST, "FashionMNIST/raw"),
        (FashionMNIST, "fashion-mnist"),
        (FashionMNIST, "."),
    ],
)
def test_finds_every_layout(tmp_path, kind, folder, packed):
    write_mnist(tmp_path / folder, packed=packed)
    for train in (True, False):
        dataset = kind(tmp_path, train=train)
        assert len(dataset) == 3
        assert dataset.data.shape == (3, 28, 28) and dataset.data.dtype == engine.uint8
        assert dataset.targets.tolist() == [0, 1, 2] and dataset.targets.dtype == engine.int64


def test_missing_files_are_all_listed(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    MNIST(tmp_path, train=True)
    with pytest.raises(FileNotFoundError) as caught:
        MNIST(tmp_path, train=False)
    assert str(caught.value) == (
        f"MNIST: files not found under '{tmp_path}':\n"
        f"  t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz, looked for in "
        f"{tmp_path}/MNIST/raw, {tmp_path}/mnist, {tmp_path}\n"
        "Get the four .gz files from https://ossci-datasets.s3.amazonaws.com/mnist/, put them into "
        f"{tmp_path}/MNIST/raw (no need to unpack), or give the folder that holds them as root."
    )
    with pytest.raises(FileNotFoundError, match=r"(?s)train-images.*train-labels.*FashionMNIST/raw"):
        FashionMNIST(tmp_path / "elsewhere")


def test_contents_that_do_not_fit_together(tmp_path):
    write_mnist(tmp_path / "size", size=27)
    with pytest.raises(ValueError, match=r"train-images.*got images of shape \(3, 27, 27\), expected \(N, 28, 28\)"):
        MNIST(tmp_path / "size")
    write_mnist(tmp_path / "count", labels=[1, 2])
    with pytest.raises(ValueError, match="train-labels.*got 2 labels, expected 3, one per image"):
        MNIST(tmp_path / "count")
    write_mnist(tmp_path / "label", labels=[1, 10, 2])
    with pytest.raises(ValueError, match="train-labels.*got label 10 at position 1, expected 0 to 9"):
        MNIST(tmp_path / "label")
    write_mnist(tmp_path / "empty", count=0)
    with pytest.raises(ValueError, match="train-images.*N > 0"):
        MNIST(tmp_path / "empty")


def test_real_mnist(mnist_root):
    train, test = MNIST(mnist_root), MNIST(mnist_root, train=False)
    assert (len(train), len(test)) == (60000, 10000)
    assert train.targets[:5].tolist() == [5, 0, 4, 1, 9]
    images, _ = train.get_batch(engine.arange(60000))
    assert abs(images.numpy().mean()) < 1e-3 and abs(images.numpy().std() - 1) < 1e-3


def test_real_fashion_mnist(fashion_mnist_root):
    test = FashionMNIST(fashion_mnist_root, train=False)
    assert len(test) == 10000 and test.classes[int(test.targets[0].item())] == "Ankle boot"


# ---- digits

DIGITS_TEST_SHA256 = "db6f35517e8df482700161f1d3a13fb6f675885f99a8700eb4cac4aa5ed76dd0"


def test_digits_split_is_stratified_and_fixed():
    train, test = Digits(train=True), Digits(train=False)
    assert (len(train), len(test)) == (1438, 359)
    assert train.data.shape == (1438, 32, 32)
    shares = np.bincount(test.targets.numpy()) / (
        np.bincount(test.targets.numpy()) + np.bincount(train.targets.numpy())
    )
    assert np.all(abs(shares - 0.2) < 0.003)
    content = hashlib.sha256(test.data.numpy().tobytes() + test.targets.numpy().tobytes()).hexdigest()
    assert content == DIGITS_TEST_SHA256


def test_digits_parts_are_disjoint():
    train, test = (Digits(train=t) for t in (True, False))
    seen = {image.tobytes() for image in train.data.numpy()}
    assert not any(image.tobytes() in seen for image in test.data.numpy())


def test_digits_batches_are_normalized():
    dataset = Digits()
    images, labels = dataset.get_batch(engine.tensor([3, 0, 3]))
    assert images.shape == (3, 1, 32, 32) and images.dtype == engine.float32
    assert labels.tolist() == [dataset.targets[i].item() for i in (3, 0, 3)]
    expected = (dataset.data.numpy()[[3, 0, 3], None] / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(images.numpy(), expected, rtol=1e-5, atol=1e-6)
    everything, _ = dataset.get_batch(engine.arange(len(dataset)))
    assert abs(everything.numpy().mean()) < 1e-3 and abs(everything.numpy().std() - 1) < 1e-3


def test_image_samples_and_transform():
    image, label = Digits()[-1]
    assert image.shape == (1, 32, 32) and isinstance(label, int)
    raw, _ = Digits(transform=lambda image: image)[0]
    assert raw.shape == (1, 32, 32) and raw.dtype == engine.uint8
    batch, labels = next(iter(DataLoader(Digits(transform=lambda image: image), batch_size=4)))
    assert batch.shape == (4, 1, 32, 32) and batch.dtype == engine.uint8 and labels.dtype == engine.int64
    with pytest.raises(IndexError, match="Digits: sample 359 is out of range for 359 samples"):
        Digits(train=False)[359]


def test_colour_images():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    dataset = ImageDataset(images, np.array([0, 1]))
    dataset.mean, dataset.std = (0.0, 0.5, 1.0), (1.0, 0.5, 2.0)
    batch, _ = dataset.get_batch(engine.tensor([1]))
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in (dataset.mean, dataset.std))
    np.testing.assert_allclose(batch.numpy(), (images[1:] / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_batch_transform_sees_whole_normalized_batches():
    shapes = []

    def record(images):
        shapes.append(tuple(images.shape))
        return -images

    plain, dataset = Digits(), Digits(batch_transform=record)
    images, _ = next(iter(DataLoader(dataset, batch_size=32)))
    assert shapes == [(32, 1, 32, 32)]
    np.testing.assert_array_equal(images.numpy(), -plain.get_batch(engine.arange(32))[0].numpy())
    with pytest.raises(ValueError, match="Digits: give either transform or batch_transform"):
        Digits(transform=record, batch_transform=record)


def test_random_crop_moves_a_batch_within_its_padding():
    images = engine.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).to(engine.float32) + 1
    crop = RandomCrop(4, padding=1, fill=-1.0, generator=engine.Generator().manual_seed(0))
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1)
    windows = {(i, j): padded[..., i : i + 4, j : j + 4].tobytes() for i in range(3) for j in range(3)}
    seen = {crop(images).numpy().tobytes() for _ in range(200)}
    assert seen == set(windows.values())  # every position, and nothing else
    assert crop(images).is_contiguous()
    with pytest.raises(ValueError, match=r"cannot cut 7 x 7 out of images of shape \(2, 3, 4, 4\) padded by 1"):
        RandomCrop(7, padding=1)(images)


# ---- TensorDataset, Subset, random_split


def numbers(count=10):
    return TensorDataset(engine.arange(count), engine.arange(count) * 2)


def test_tensor_dataset():
    dataset = numbers()
    assert len(dataset) == 10
    assert [t.item() for t in dataset[3]] == [3, 6]
    assert [t.tolist() for t in dataset.get_batch(engine.tensor([4, 1]))] == [[4, 1], [8, 2]]


def test_tensor_dataset_errors():
    with pytest.raises(ValueError, match="needs at least one Tensor"):
        TensorDataset()
    with pytest.raises(TypeError, match="argument 1 is a list; convert it with engine.tensor"):
        TensorDataset(engine.arange(2), [1, 2])
    with pytest.raises(ValueError, match="argument 1 has 3 samples, but argument 0 has 2"):
        TensorDataset(engine.arange(2), engine.arange(3))
    with pytest.raises(ValueError, match="argument 0 has no axis"):
        TensorDataset(engine.tensor(1.0))


def test_subset_reads_through():
    subset = Subset(numbers(), [7, -1, 2])
    assert [x.item() for x, _ in (subset[i] for i in range(3))] == [7, 9, 2]
    (first, _), (second, _) = DataLoader(subset, batch_size=2)
    assert first.tolist() == [7, 9] and second.tolist() == [2]
    with pytest.raises(IndexError, match="index 10 at position 1 is out of range for a data set of 10 samples"):
        Subset(numbers(), [0, 10])


def test_random_split_partitions_and_repeats():
    def parts():
        return random_split(numbers(), [7, 3], generator=engine.Generator().manual_seed(1))

    first, second = parts()
    assert sorted(first.indices + second.indices) == list(range(10))
    assert (len(first), len(second)) == (7, 3)
    assert [p.indices for p in parts()] == [first.indices, second.indices]
    assert [len(p) for p in random_split(numbers(), [0.55, 0.25, 0.2])] == [6, 2, 2]


def test_random_split_errors():
    with pytest.raises(ValueError, match=r"lengths \[7, 2\] add up to 9, but the data set has 10 samples"):
        random_split(numbers(), [7, 2])
    with pytest.raises(ValueError, match=r"fractions must lie in 0..1 and add up to 1, got \[0.5, 0.6\]"):
        random_split(numbers(), [0.5, 0.6])


# ---- DataLoader


def epoch(loader):
    return [batch[0].tolist() for batch in loader]


def test_loader_in_order():
    loader = DataLoader(numbers(), batch_size=4)
    assert epoch(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] and len(loader) == 3
    loader = DataLoader(numbers(), batch_size=4, drop_last=True)
    assert epoch(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]] and len(loader) == 2
    assert epoch(DataLoader(numbers(3), batch_size=8)) == [[0, 1, 2]]
    assert epoch(DataLoader(numbers(3), batch_size=8, drop_last=True)) == []


def test_loader_shuffles_anew_from_its_generator():
    def two_epochs():
        loader = DataLoader(numbers(), batch_size=10, shuffle=True, generator=engine.Generator().manual_seed(5))
        return epoch(loader)[0], epoch(loader)[0]

    first, second = two_epochs()
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second and first != list(range(10))
    assert two_epochs() == (first, second)


def test_loader_without_generator_follows_manual_seed():
    def shuffled():
        engine.manual_seed(3)
        return epoch(DataLoader(numbers(), batch_size=10, shuffle=True))

    assert shuffled() == shuffled()


def test_loader_with_sampler():
    assert epoch(DataLoader(numbers(), batch_size=2, sampler=[3, 3, -1])) == [[3, 3], [9]]
    with pytest.raises(IndexError, match=r"sampler's index 12 \(its position 1\) is out of range .* 10 samples"):
        next(iter(DataLoader(numbers(), sampler=[0, 12])))


def test_loader_fetches_batches_whole():
    class Counting(TensorDataset):
        calls = 0

        def get_batch(self, indices):
            Counting.calls += 1
            return super().get_batch(indices)

        def __getitem__(self, index):
            raise AssertionError("read sample by sample")

    list(DataLoader(Counting(engine.arange(10)), batch_size=4))
    assert Counting.calls == 3


class Pairs(Dataset):
    """Samples as a user writes them: an array, a number, a dict."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return np.full((2, 3), index, np.float32), index, {"name": f"n{index}", "half": index / 2}


def test_loader_stacks_samples():
    arrays, labels, extra = next(iter(DataLoader(Pairs(), batch_size=3)))
    assert arrays.shape == (3, 2, 3) and arrays.dtype == engine.float32
    assert labels.tolist() == [0, 1, 2] and labels.dtype == engine.int64
    assert extra["name"] == ["n0", "n1", "n2"]
    assert extra["half"].tolist() == [0.0, 0.5, 1.0] and extra["half"].dtype == engine.float32
    assert list(DataLoader([1, 2, 3], batch_size=2, collate_fn=sum)) == [3, 3]


def test_collate_errors_name_the_sample():
    class Ragged(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return engine.zeros(2, 3 + (index == 2)), index

    with pytest.raises(ValueError) as caught:
        list(DataLoader(Ragged(), batch_size=2, sampler=[1, 2]))
    assert str(caught.value) == (
        "sample 2[0] has shape (2, 4), but sample 1[0] of the same batch has shape (2, 3); "
        "samples of a batch must be alike (or give DataLoader a collate_fn)"
    )
    with pytest.raises(TypeError, match="sample 0 is a object, which cannot be stacked into a batch"):
        default_collate([object()])
    with pytest.raises(TypeError, match="sample 1 is a str, but sample 0 of the same batch is a int"):
        default_collate([1, "a"])
    with pytest.raises(ValueError, match="sample 1 has 1 fields, but sample 0 of the same batch has 2 fields"):
        default_collate([(1, 2), (1,)])


def test_loader_argument_errors():
    with pytest.raises(ValueError, match="batch_size must be a positive integer, got 0"):
        DataLoader(numbers(), batch_size=0)
    with pytest.raises(ValueError, match="either sampler or shuffle=True"):
        DataLoader(numbers(), sampler=[1], shuffle=True)
    with pytest.raises(TypeError, match="must have __getitem__ and __len__, but generator has not"):
        DataLoader(i for i in range(3))
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]


# ---- models


@pytest.mark.parametrize("name, size, parameters", [
    ("lenet5", 28, 61_706), ("lenet5", 32, 61_706), ("mnistnet", 28, 1_199_882), ("mnistnet", 32, 1_625_866),
])  # fmt: skip
def test_models_by_name(name, size, parameters):
    model = MODELS[name](image_size=size)
    assert sum(p.numel() for p in model.parameters()) == parameters
    with engine.no_grad():
        assert model(engine.zeros(2, 1, size, size)).shape == (2, 10)
    assert MODELS[name](num_classes=3)(engine.zeros(1, 1, 28, 28)).shape == (1, 3)
    with pytest.raises(ValueError, match="image_size must be 28 or 32, got 30"):
        MODELS[name](image_size=30)
