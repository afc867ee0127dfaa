"""The sections of `python -m benchmarks versus`: each makes a table of figures from a Plan."""

from benchmarks import machine
from benchmarks.sections import algorithms, convolutions, local, memory, networks, products, small, start

SECTIONS = {  # name -> (what it measures, functions Plan -> Table)
    "machine": ("peak of multiply-adds, bandwidth of caches and memory", (
        lambda plan: machine.peaks(plan.thread_counts, plan.seconds),
        lambda plan: machine.bandwidths(plan.thread_counts, plan.seconds, plan.menu.sizes),
    )),
    "nets": ("training step and inference of networks, beside all peers", (networks.networks,)),
    "avx2": ("training steps, both sides held to AVX2", (networks.held_to_avx2,)),
    "threads": ("training steps on one thread and on all", (networks.threads,)),
    "convolutions": ("convolutions of the networks: forward, input gradient, weight gradient", (convolutions.convolutions,)),
    "algorithms": ("whether convolutions take their fastest algorithms", (algorithms.algorithms,)),
    "gemm": ("matrix products in per cent of the peak", (products.products,)),
    "layers": ("layers bound by memory, optimiser steps", (small.layers,)),
    "local": ("locally connected layers beside unfold and einsum", (local.local,)),
    "overhead": ("what recording an operation costs", (small.overhead,)),
    "memory": ("growth of memory over training steps, silence of later ones", (memory.growth, memory.steady)),
    "start": ("import time, installed size", (start.start,)),
}  # fmt: skip
