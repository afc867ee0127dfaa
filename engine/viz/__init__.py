"""Seeing inside networks: what filters, maps and units stand for, and where a network looks.

Every method takes a model, the path of a layer where it needs one, and images [N, C, H, W] prepared as for training, and
gives an array; `to_bytes`, `grid`, `save` and `show` make pictures of these. Models of any class serve.

    filters, activations, receptive_fields, size_sum    layers as they are
    deconvnet, top_patches                              what a feature map stands for (Zeiler and Fergus 2013)
    saliency, guided_backprop, integrated_gradients,
    grad_cam, occlusion                                 what a decision rests on
    maximise                                            an image made up for a unit
    probabilities, confusion_matrix, worst_errors       where a classifier errs
"""

from engine.viz.drawing import grid, kernels, maps, save, show, to_bytes
from engine.viz.gradients import deconvnet, grad_cam, guided_backprop, integrated_gradients, saliency
from engine.viz.layers import Field, Patches, activations, filters, receptive_fields, top_patches
from engine.viz.mistakes import Errors, confusion_matrix, probabilities, worst_errors
from engine.viz.probing import maximise, occlusion
from engine.viz.sizes import size_sum

__all__ = [
    "Errors", "Field", "Patches", "activations", "confusion_matrix", "deconvnet", "filters", "grad_cam", "grid",
    "guided_backprop", "integrated_gradients", "kernels", "maps", "maximise", "occlusion", "probabilities",
    "receptive_fields", "saliency", "save", "show", "size_sum", "to_bytes", "top_patches", "worst_errors",
]  # fmt: skip
