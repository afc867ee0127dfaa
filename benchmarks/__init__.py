"""Benchmarks: `python -m benchmarks` beside PyTorch, `pytest benchmarks --benchmark-only` for single kernels."""
