"""What `compare_torch.py` is made of: the public names, calls of each with generated arguments, and how results are compared."""
