"""Pictures in folders: a class is a folder, a sample a file in it."""

from __future__ import annotations

import os
from collections.abc import Callable

from engine.utils.data import Dataset
from engine.vision.pillow import pillow

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def read_image(path):
    """The picture file at `path` as a PIL image in RGB. Needs Pillow, whose limit of pixels stays in force; OSError for
    what is no picture."""
    with pillow().open(path) as image:
        return image.convert("RGB")


class DatasetFolder(Dataset):
    """Files `root/<class>/**/<file>`, read by `loader(path)` when they are asked for.

    extensions      endings of the files that count, any case; or is_valid_file(path) decides: exactly one of the two
    transform       maps what the loader returns, target_transform the number of the class
    allow_empty     let a class have no file

    `classes` are the folders' names in order, `class_to_idx` their numbers, `samples` pairs (path, number) in order,
    `targets` the numbers. FileNotFoundError without a class, or for a class without a file.
    """

    def __init__(
        self,
        root,
        loader: Callable,
        extensions: tuple[str, ...] | None = None,
        transform=None,
        target_transform=None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ):
        self.root = os.path.expanduser(os.fspath(root))
        self.loader, self.extensions = loader, extensions
        self.transform, self.target_transform = transform, target_transform
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.targets = [number for _, number in self.samples]

    def find_classes(self, directory) -> tuple[list[str], dict[str, int]]:
        """(names, number by name) of the classes: the folders in `directory`, sorted."""
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not classes:
            raise FileNotFoundError(
                f"{type(self).__name__}: found no class folder in {directory}; it should hold one a class"
            )
        return classes, {name: number for number, name in enumerate(classes)}

    @staticmethod
    def make_dataset(directory, class_to_idx, extensions=None, is_valid_file=None, allow_empty=False):
        """All (path, class number) under `directory`, by class and then by path; ValueError unless exactly one of
        `extensions` and `is_valid_file` is given."""
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("give either extensions or is_valid_file, and not both")
        endings = (extensions,) if isinstance(extensions, str) else tuple(extensions or ())
        valid = is_valid_file or (lambda path: path.lower().endswith(endings))
        samples, empty = [], []
        for name in sorted(class_to_idx):
            before = len(samples)
            for folder, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=True)):
                paths = (os.path.join(folder, file) for file in sorted(files))
                samples += [(path, class_to_idx[name]) for path in paths if valid(path)]
            if len(samples) == before:
                empty.append(name)
        if empty and not allow_empty:
            expected = f"; expected files ending in {', '.join(endings)}" if endings else ""
            raise FileNotFoundError(f"found no valid file for the classes {', '.join(empty)} in {directory}{expected}")
        return samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index):
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return sample, target

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} files in {self.root}, {len(self.classes)} classes)"


class ImageFolder(DatasetFolder):
    """Pictures `root/<class>/**/<file>`, read with Pillow (the extra [vision]) when they are asked for.

    A sample is (PIL image in RGB, or what `transform` makes of it; class number). Arguments, attributes and errors as
    for DatasetFolder; ImportError says what to install.
    """

    def __init__(
        self, root, transform=None, target_transform=None, loader=read_image, is_valid_file=None, allow_empty=False
    ):
        if loader is read_image:
            pillow()
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
