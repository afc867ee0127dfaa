"""The compiled core: Cython owns threads, memory and shapes; the C below kernels/ owns arithmetic."""
