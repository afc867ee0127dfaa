"""Helpers around training: the data loader lives in `engine.utils.data`."""
