"""The networks as ONNX models, made from peers/graphs.py."""

from onnx import TensorProto, checker, helper, numpy_helper

from benchmarks.nets import NETS
from benchmarks.peers.graphs import GRAPHS

OPSET, IR = 17, 8


class Nodes:
    """Operations that write down nodes; values are their names."""

    def __init__(self, weights):
        self.weights, self.nodes, self.used = weights, [], {}

    def _node(self, op, *inputs, **attributes):
        output = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def _weights(self, name, *parts):
        names = [f"{name}.{part}" for part in parts if f"{name}.{part}" in self.weights]
        self.used.update({key: self.weights[key] for key in names})
        return names

    def conv(self, x, name, stride=1, padding=0, groups=1):
        return self._node("Conv", x, *self._weights(name, "weight", "bias"), strides=[stride] * 2, pads=[padding] * 4,
                          group=groups)  # fmt: skip

    def batch_norm(self, x, name):
        return self._node(
            "BatchNormalization", x, *self._weights(name, "weight", "bias", "running_mean", "running_var")
        )

    def linear(self, x, name):
        return self._node("Gemm", x, *self._weights(name, "weight", "bias"), transB=1)

    def max_pool(self, x, size=2, stride=2, padding=0):
        return self._node("MaxPool", x, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def relu(self, x):
        return self._node("Relu", x)

    def add(self, x, y):
        return self._node("Add", x, y)

    def mean(self, x):
        return self.flatten(self._node("GlobalAveragePool", x))

    def flatten(self, x):
        return self._node("Flatten", x)

    def subsample(self, x, channels):
        """Every second pixel; a 1x1 convolution would do as well, but this is what exporters make of x[:, :, ::2, ::2]."""
        x = self._node("Slice", x, *self._numbers([0, 0], [1 << 30] * 2, [2, 3], [2, 2]))
        return self._node("Pad", x, *self._numbers([0, channels // 4, 0, 0] * 2))

    def _numbers(self, *lists):
        return [self._node("Constant", value_ints=numbers) for numbers in lists]


def model(net, weights, shape):
    """The network on images of this shape, with these weights inside."""
    o = Nodes(weights)
    output = GRAPHS[net](o, "images")
    graph = helper.make_graph(
        o.nodes, net,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, (shape[0], NETS[net].classes))],
        [numpy_helper.from_array(a, name) for name, a in o.used.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    checker.check_model(made)
    return made
