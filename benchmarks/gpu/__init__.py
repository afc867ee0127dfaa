"""Networks on a GPU beside PyTorch on the same: the command, and a worker for either side, timed by the GPU's own events."""
