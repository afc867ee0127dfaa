"""AlexNet, ZFNet, VGG-16, GoogLeNet and ResNet side by side: layers, parameters, multiply-adds, receptive fields.

Look at: VGG-16's parameters, nine tenths of them in its fully connected layers; GoogLeNet and ResNet, deeper and yet
smaller, because they end in a global average; multiply-adds, which parameters say nothing about. Nothing is computed
or allocated: shapes alone pass through the networks. The picture has one point for each network.
"""

import os

from lecture import options

import engine
from engine import nn
from engine.extras import needed
from engine.vision import models

NAMES = "lenet5 alexnet2012 zfnet vgg16 googlenet resnet18 resnet50 resnet152".split()

chosen = options(__doc__)
rows = []
for name in NAMES:
    with engine.use_backend("shape"):
        model = getattr(models, name)(aux_logits=False) if name == "googlenet" else getattr(models, name)()
    report = engine.summary(model, models.MODELS[name].input)
    depth = sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules())
    dense = sum(p.numel() for m in model.modules() if isinstance(m, nn.Linear) for p in m.parameters())
    rows.append((name, depth, report.parameters, dense / report.parameters, report.macs, report.activation_bytes))
print(f"{'network':12} {'layers':>6} {'parameters':>12} {'fully connected':>16} {'mult-adds':>15} {'activations':>12}")
for name, depth, parameters, dense, macs, memory in rows:
    print(f"{name:12} {depth:6} {parameters:12,} {dense:16.0%} {macs:15,} {memory / 1e6:9.1f} MB")

figure = needed("matplotlib.figure", "the picture").Figure(figsize=(7, 4.5), layout="constrained")
axes = figure.add_subplot()
for name, depth, parameters, _, macs, _ in rows:
    axes.scatter(macs, parameters, s=20 + 3 * depth, alpha=0.7, label=f"{name}, {depth} layers")
axes.set(xscale="log", yscale="log", xlabel="multiply-adds of an image", ylabel="parameters")
figure.legend(loc="outside right upper")
figure.savefig(os.path.join(chosen.out, "09_nets.png"), dpi=120)
print(f"picture: {chosen.out}/09_nets.png")
