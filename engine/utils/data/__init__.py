"""Data sets and the loader that cuts them into batches, under the names of `torch.utils.data`.

    dataset.py      what holds samples; sampler.py, distributed.py: in which order they come
    collate.py      samples into a batch
    fetch.py        how one batch is made, and where its random numbers come from
    worker.py       threads that make batches ahead of time
    loop.py         one pass over it all; dataloader.py: its arguments
    upload.py       batches on their way to a GPU

A data set that holds its samples in memory offers `get_batch(indices)`, and the loader then fetches
every batch with that one call. Any other data set is read sample by sample and stacked.
"""

from engine.utils.data.collate import default_collate, default_convert
from engine.utils.data.dataloader import DataLoader
from engine.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from engine.utils.data.distributed import DistributedSampler
from engine.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from engine.utils.data.upload import Upload
from engine.utils.data.worker import get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "Upload",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]
