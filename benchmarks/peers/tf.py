"""TensorFlow as a worker: `python -m benchmarks.peers.tf`, under an interpreter that has it. Steps are `tf.function`s."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402

from benchmarks import worker  # noqa: E402
from benchmarks.peers import nhwc  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["ENGINE_BENCH_THREADS"]))


class TensorFlow(worker.Framework):
    """Threads were settled before the first operation."""

    name = f"TensorFlow {tf.__version__}"

    def forget(self):
        tf.keras.backend.clear_session()


class Operations:
    """peers/graphs.py's operations on images [N, H, W, C] and tf.Variables."""

    def __init__(self, weights, training):
        self.weights, self.training = weights, training

    def conv(self, x, name, stride=1, padding=0, groups=1):
        w, around = self.weights[f"{name}.weight"], [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]
        if groups == w.shape[3] > 1:
            y = tf.nn.depthwise_conv2d(x, tf.transpose(w, (0, 1, 3, 2)), [1, stride, stride, 1], around)
        else:
            y = tf.nn.conv2d(x, w, stride, around)
        return tf.nn.bias_add(y, self.weights[f"{name}.bias"]) if f"{name}.bias" in self.weights else y

    def batch_norm(self, x, name):
        w, b, mean, var = (self.weights[f"{name}.{part}"] for part in ("weight", "bias", *nhwc.BUFFERS))
        y, *new = tf.compat.v1.nn.fused_batch_norm(
            x, w, b, mean, var, 1e-5, is_training=self.training, exponential_avg_factor=0.1 if self.training else 1.0
        )
        if self.training:
            mean.assign(new[0])
            var.assign(new[1])
        return y

    def linear(self, x, name):
        return tf.nn.bias_add(x @ self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def max_pool(self, x, size=2, stride=2, padding=0):
        return tf.nn.max_pool2d(x, size, stride, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])

    def relu(self, x):
        return tf.nn.relu(x)

    def add(self, x, y):
        return x + y

    def mean(self, x):
        return tf.reduce_mean(x, (1, 2))

    def flatten(self, x):
        return tf.reshape(x, (x.shape[0], -1))

    def subsample(self, x, channels):
        return tf.pad(x[:, ::2, ::2], [[0, 0]] * 3 + [[channels // 4] * 2])


class _Net(nhwc.Net):
    constant = staticmethod(tf.constant)

    def build(self):
        self.weights = {
            name: tf.Variable(a, trainable=not name.endswith(nhwc.BUFFERS)) for name, a in self.given.items()
        }


class Training(_Net):
    """One step as one graph: forward, cross-entropy, backward, SGD with momentum."""

    def build(self):
        super().build()
        self.parameters = {name: v for name, v in self.weights.items() if v.trainable}
        self.momenta = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self.parameters.values()]

        def gradients(x, labels):
            with tf.GradientTape() as tape:
                scores = self.graph(Operations(self.weights, training=True), x)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))
            return loss, tape.gradient(loss, list(self.parameters.values()))

        def step(x, labels):
            loss, found = gradients(x, labels)
            for v, m, g in zip(self.parameters.values(), self.momenta, found, strict=True):
                tf.raw_ops.ResourceApplyMomentum(var=v.handle, accum=m.handle, lr=0.01, grad=g, momentum=0.9)
            return loss

        self.gradients, self.step = tf.function(gradients), tf.function(step)

    def restart(self):
        for name, v in self.weights.items():
            v.assign(self.given[name])
        for m in self.momenta:
            m.assign(tf.zeros_like(m))

    def run(self):
        return self.step(*self.batch()).numpy()

    def outputs(self):
        _, gradients = self.gradients(*self.batches[1 % len(self.batches)])
        self.restart()
        gradients = {name: g.numpy() for name, g in zip(self.parameters, gradients, strict=True)}
        gradients = {f"gradient of {name}": g for name, g in nhwc.back(self.net, gradients).items()}
        return {"first loss": self.run(), **gradients, "second loss": self.run()}


class Inference(_Net):
    """Forward alone, as one graph."""

    def build(self):
        super().build()
        self.forward = tf.function(lambda x: self.graph(Operations(self.weights, training=False), x))

    def run(self):
        return self.forward(self.batch()[0]).numpy()


if __name__ == "__main__":
    worker.serve(TensorFlow(), {"training": Training, "inference": Inference})
