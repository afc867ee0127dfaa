"""Where each peer is sought: an interpreter of its own, named by an environment variable, else this one."""

import importlib.util
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A framework: what it is called, the variable that names its interpreter, its package, our worker's module."""

    title: str
    variable: str
    package: str
    worker: str


PEERS = {
    "torch": Peer("PyTorch", "ENGINE_BENCH_TORCH", "torch", "benchmarks.peers.pytorch"),
    "onnxruntime": Peer("ONNX Runtime", "ENGINE_BENCH_ORT", "onnxruntime", "benchmarks.peers.ort"),
    "tensorflow": Peer("TensorFlow", "ENGINE_BENCH_TF", "tensorflow", "benchmarks.peers.tf"),
    "jax": Peer("JAX", "ENGINE_BENCH_JAX", "jax", "benchmarks.peers.xla"),
}


def python(name):
    """The interpreter of that peer; None without one."""
    peer = PEERS[name]
    return os.environ.get(peer.variable) or (sys.executable if importlib.util.find_spec(peer.package) else None)


def pythons(left_out=()):
    """{name: interpreter} of the peers that can be had."""
    found = {name: python(name) for name in PEERS if name not in left_out}
    return {name: path for name, path in found.items() if path}
