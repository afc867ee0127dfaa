"""LeNet-5, AlexNet (of 2012), ZFNet, VGG-16, GoogLeNet and three ResNets side by side: what each of them costs.

Look at: VGG-16's parameters, nine tenths of them in its fully connected layers; GoogLeNet and ResNet, deeper and yet
smaller, because they end in a global average; multiply-adds, which parameters say nothing about. Nothing is computed
or allocated: shapes alone pass through the networks. The picture has one point for each network.
"""

from lecture import figure, keep, options

import engine
from engine import nn
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

drawing = figure(7, 4.5)
axes = drawing.add_subplot()
for name, depth, parameters, _, macs, _ in rows:
    axes.scatter(macs, parameters, s=20 + 3 * depth, alpha=0.7, label=f"{name}, {depth} layers")
axes.set(xscale="log", yscale="log", xlabel="multiply-adds of an image", ylabel="parameters")
drawing.legend(loc="outside right upper")
keep(chosen, "09_nets.png", drawing)
