"""DistributedSampler: the share of a data set that one of several training processes reads."""

from __future__ import annotations

from collections.abc import Iterator

import engine
from engine.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index of `dataset`, beginning with number `rank`, in an order all ranks agree on.

    shuffle    a random order that depends on `seed` and the epoch alone: call `set_epoch` before each epoch
    drop_last  leave out the samples that do not divide evenly; else the first ones are repeated to fill up

    RuntimeError unless both numbers are given: there is no process group to ask for them. ValueError for a rank
    outside 0..num_replicas - 1.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            raise RuntimeError(
                "DistributedSampler needs num_replicas and rank: there is no process group to ask for them"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        count = len(dataset)
        self.num_samples = count // num_replicas if drop_last else -(-count // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        if self.shuffle:
            generator = engine.Generator().manual_seed(self.seed + self.epoch)
            order = engine.randperm(count, generator=generator).tolist()
        else:
            order = list(range(count))
        return (order[i % count] for i in range(self.rank, self.total_size, self.num_replicas))

    def set_epoch(self, epoch: int) -> None:
        """The number of the epoch that the next iteration begins."""
        self.epoch = epoch
