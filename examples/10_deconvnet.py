"""What do the layers of a VGG-16 for small images see? For conv1_1, conv3_2 and conv5_3 the sheets of Zeiler and Fergus
(2013): of each feature map the nine patches of the test images that excite it most, and left of them what the deconvnet
projects back from that one activation; and the maps of one image.

Look at: edges and colours in conv1_1, arcs and parts in conv3_2, whole digits or objects in conv5_3, whose units could see
more than the image (of CIFAR-10: the legs of horses, the long lines of cars); within a block, patches that differ much
and projections that are alike: that is what the map stands for. The maps themselves shrink from the image's size to almost nothing, and their number grows.
"""

from lecture import accuracy, batch, fit, keep, load, options

import engine
from engine import viz
from engine.vision import models
from engine.viz import sheets

VGG16 = "[(CONV-RELU)*2-POOL]*2-[(CONV-RELU)*3-POOL]*2-(CONV-RELU)*3-(FC-RELU)*2,SOFTMAX"  # without the last POOL

chosen = options(__doc__)
train, test = load(chosen)
images, _ = batch(test, 200 if chosen.quick else 2000)
model = models.from_pattern(VGG16, images.shape[1:], width=0.5)
# Much weight decay takes the noise that filters start with out of them, and so out of the projections.
decay, epochs = (1.0, 4 if chosen.cifar10 else 3) if chosen.cifar10 or chosen.mnist else (3.0, 15)
optimizer = engine.optim.AdamW(model.parameters(), lr=0.001, weight_decay=decay)
fit(model, train, epochs=1 if chosen.quick else epochs, optimizer=optimizer)
print(f"test accuracy {accuracy(model, test):.1%}")

fields = viz.receptive_fields(model, images.shape[1:])
print("layers:", ", ".join(name for name in fields if name.startswith("conv") and "relu" not in name))
for layer in ("conv1_1", "conv3_2", "conv5_3"):
    best = viz.top_patches(model, f"{layer}_relu", images, count=9)
    side = fields[layer].size[0]
    print(f"{layer}: a unit sees {side}x{side} pixels; strongest activation {best.values.max():.1f}")
    keep(chosen, f"10_patches_{layer}.png", sheets.patches(best))
    keep(chosen, f"10_maps_{layer}.png", sheets.activations(viz.activations(model, f"{layer}_relu", images[:1])[0]))
