"""JAX as a worker: `python -m benchmarks.peers.xla`, under an interpreter that has it. Whole steps are compiled by XLA."""

import os

THREADS = int(os.environ["ENGINE_BENCH_THREADS"])
if hasattr(os, "sched_setaffinity"):  # XLA makes a thread for each core that it may use; it is asked here only
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import jax  # noqa: E402
import numpy  # noqa: E402
from jax import lax  # noqa: E402
from jax import numpy as jnp  # noqa: E402

from benchmarks import worker  # noqa: E402
from benchmarks.peers import nhwc  # noqa: E402


class Jax(worker.Framework):
    """Threads were settled before JAX was imported."""

    name = f"JAX {jax.__version__}"

    def forget(self):
        jax.clear_caches()


class Operations:
    """peers/graphs.py's operations on images [N, H, W, C]. In training, new running means are put into `buffers`."""

    def __init__(self, weights, training):
        self.weights, self.training, self.buffers = weights, training, {}

    def conv(self, x, name, stride=1, padding=0, groups=1):
        y = lax.conv_general_dilated(
            x, self.weights[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
        )  # fmt: skip
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def batch_norm(self, x, name):
        w, b, mean, var = (self.weights[f"{name}.{part}"] for part in ("weight", "bias", *nhwc.BUFFERS))
        if self.training:
            count, old = x.size // x.shape[-1], (mean, var)
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            for part, before, new in zip(nhwc.BUFFERS, old, (mean, var * (count / (count - 1))), strict=True):
                self.buffers[f"{name}.{part}"] = lax.stop_gradient(0.9 * before + 0.1 * new)
        return (x - mean) * (w * lax.rsqrt(var + 1e-5)) + b

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def max_pool(self, x, size=2, stride=2, padding=0):
        around = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), around)

    def relu(self, x):
        return jnp.maximum(x, 0)

    def add(self, x, y):
        return x + y

    def mean(self, x):
        return x.mean((1, 2))

    def flatten(self, x):
        return x.reshape(x.shape[0], -1)

    def subsample(self, x, channels):
        x = x[:, ::2, ::2]
        return jnp.pad(x, [(0, 0)] * 3 + [(channels // 4, channels // 4)])


class Training(nhwc.Net):
    """One step, compiled as a whole: forward, cross-entropy, backward, SGD with momentum; memory is donated."""

    constant = staticmethod(jnp.asarray)

    def build(self):
        def loss(parameters, buffers, x, labels):
            o = Operations({**parameters, **buffers}, training=True)
            scores = jax.nn.log_softmax(self.graph(o, x))
            return -jnp.take_along_axis(scores, labels[:, None], 1).mean(), o.buffers

        def step(parameters, buffers, momenta, x, labels):
            (value, buffers), gradients = jax.value_and_grad(loss, has_aux=True)(parameters, buffers, x, labels)
            momenta = {name: 0.9 * momenta[name] + g for name, g in gradients.items()}
            parameters = {name: p - 0.01 * momenta[name] for name, p in parameters.items()}
            return (parameters, buffers, momenta), value

        self.gradients = jax.jit(jax.grad(loss, has_aux=True))
        self.step = jax.jit(step, donate_argnums=(0, 1, 2))
        self.restart()

    def restart(self):
        buffers = {name: jnp.array(a) for name, a in self.given.items() if name.endswith(nhwc.BUFFERS)}
        parameters = {name: jnp.array(a) for name, a in self.given.items() if name not in buffers}
        self.state = parameters, buffers, {name: jnp.zeros_like(p) for name, p in parameters.items()}

    def run(self):
        self.state, value = self.step(*self.state, *self.batch())
        return value.block_until_ready()

    def outputs(self):
        parameters, buffers, _ = self.state
        gradients, _ = self.gradients(parameters, buffers, *self.batches[1 % len(self.batches)])
        gradients = nhwc.back(self.net, {name: numpy.asarray(g) for name, g in gradients.items()})
        first = self.run()
        return {"first loss": first, **{f"gradient of {n}": g for n, g in gradients.items()}, "second loss": self.run()}


class Inference(nhwc.Net):
    """Forward alone, compiled with the weights as arguments."""

    constant = staticmethod(jnp.asarray)

    def build(self):
        weights = {name: jnp.array(a) for name, a in self.given.items()}
        forward = jax.jit(lambda weights, x: self.graph(Operations(weights, training=False), x))
        self.forward = lambda x: forward(weights, x)

    def run(self):
        return self.forward(self.batch()[0]).block_until_ready()


if __name__ == "__main__":
    worker.serve(Jax(), {"training": Training, "inference": Inference})
