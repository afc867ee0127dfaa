"""What do the layers see? The sheets of Zeiler and Fergus (2013): for the feature maps of three layers the nine patches
of the test images that excite each most, and beside each what the deconvnet projects back from that one activation.

Look at: edges and colours in the first layer, corners and arcs in the second, parts (of CIFAR-10: wheels, wings, heads)
in the third; within a block, patches that differ much and projections that are alike: that is what the map stands for.
"""

import os

from lecture import accuracy, batch, fit, load, options

from engine import viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
images, _ = batch(test, 200 if chosen.quick else 2000)
model = models.from_pattern("[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX", images.shape[1:])
fit(model, train, epochs=1 if chosen.quick else 3 if chosen.cifar10 else 2 if chosen.mnist else 10, rate=0.001)
print(f"test accuracy {accuracy(model, test):.1%}")

fields = viz.receptive_fields(model, images.shape[1:])
for layer in ("conv1_1_relu", "conv2_2_relu", "conv3_2_relu"):
    best = viz.top_patches(model, layer, images, count=9)
    path = os.path.join(chosen.out, f"10_patches_{layer}.png")
    viz.save(path, sheets.patches(best))
    print(f"{layer}: sees {fields[layer].size[0]} pixels; strongest activation {best.values.max():.1f}; {path}")
