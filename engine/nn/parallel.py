"""Wrappers that spread a model over several devices: of one CPU, the identity; over processes, refused."""

from __future__ import annotations

from engine.nn.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """The model itself, as attribute `module`: the keys of its state_dict begin with "module.", as PyTorch's do.

    It computes what the model computes. `device_ids`, `output_device` and `dim` choose among GPUs, of which there are none.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module
        self.device_ids: list = []

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Refused: training by several processes is not offered."""

    def __init__(self, *_, **__):
        raise NotImplementedError(
            "DistributedDataParallel is not offered: train in one process, which uses all cores by itself"
        )
