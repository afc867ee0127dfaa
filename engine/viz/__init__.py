"""Seeing inside networks: what filters, maps and units stand for, and where a network looks.

Every method takes a model, the path of a layer where it needs one, and images [N, C, H, W] prepared as for training, and
gives an array; `sheets` lays each out as a picture, and `save` and `show` draw that. Models of any class serve.

    filters, activations, receptive_fields, size_sum    layers as they are
    deconvnet, top_patches, evolution                   what a feature map stands for (Zeiler and Fergus 2013)
    saliency, guided_backprop, integrated_gradients,
    grad_cam, occlusion                                 what a decision rests on
    maximise                                            an image made up for a unit
    probabilities, confusion_matrix, worst_errors       where a classifier errs
"""

from engine.viz import sheets
from engine.viz.drawing import grid, kernels, maps, save, show, to_bytes
from engine.viz.gradients import deconvnet, grad_cam, guided_backprop, integrated_gradients, saliency
from engine.viz.layers import Field, activations, filters, receptive_fields
from engine.viz.mistakes import Errors, confusion_matrix, probabilities, worst_errors
from engine.viz.patches import Evolution, Patches, evolution, top_patches
from engine.viz.probing import maximise, occlusion
from engine.viz.sizes import size_sum

__all__ = [
    "Errors", "Evolution", "Field", "Patches", "activations", "confusion_matrix", "deconvnet", "evolution", "filters",
    "grad_cam", "grid", "guided_backprop", "integrated_gradients", "kernels", "maps", "maximise", "occlusion",
    "probabilities", "receptive_fields", "saliency", "save", "sheets", "show", "size_sum", "to_bytes", "top_patches",
    "worst_errors",
]  # fmt: skip
