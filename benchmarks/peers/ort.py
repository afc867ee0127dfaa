"""ONNX Runtime as a worker, for inference: `python -m benchmarks.peers.ort`, under an interpreter that has it and onnx."""

import os

import onnxruntime

from benchmarks import worker
from benchmarks.peers import onnx_graph
from benchmarks.tasks import Task


class OnnxRuntime(worker.Framework):
    """Threads belong to a session."""

    name = f"ONNX Runtime {onnxruntime.__version__}"


class Inference(Task):
    """One session.run, all optimisations on."""

    def __init__(self, fw, arrays, layout, net):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["ENGINE_BENCH_THREADS"])
        weights = {name: a for name, a in arrays.items() if name not in ("images", "labels")}
        model = onnx_graph.model(net, weights, arrays["images"][0].shape)
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.images, self.next = list(arrays["images"]), 0

    def run(self):
        self.next = (self.next + 1) % len(self.images)
        return self.session.run(None, {"images": self.images[self.next]})[0]


if __name__ == "__main__":
    worker.serve(OnnxRuntime(), {"inference": Inference})
