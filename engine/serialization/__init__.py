"""Saving and loading: data in files, never code.

    save, load              nested data in one safetensors file; PyTorch's and NumPy's files are read too
    save_checkpoint, ...    everything that a training run needs to go on, in one call
    metadata                the notes that came with `save(..., metadata=...)`
    atomic_write            bytes to a file, all or nothing
    read_pickle             the data in a pickle, without running it

Loading any file runs nothing, imports nothing, reads nothing outside the file, and takes memory in proportion to the
size of the file. What cannot be read is a FileFormatError, a ValueError that names the file.
"""

from engine.serialization.atomic import atomic_write
from engine.serialization.checkpoint import load_checkpoint, save_checkpoint
from engine.serialization.elements import FileFormatError
from engine.serialization.files import load, metadata, save
from engine.serialization.pickled_data import read_pickle

__all__ = [
    "FileFormatError", "atomic_write", "load", "load_checkpoint", "metadata", "read_pickle", "save", "save_checkpoint",
]  # fmt: skip
