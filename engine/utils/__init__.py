"""Helpers around training: the data loader lives in `engine.utils.data`."""

from engine.utils import data, dlpack

__all__ = ["data", "dlpack"]
