"""LeNet-5 learns digits; then its filters, and the maps of every layer for one image, are drawn.

Look at: the first filters, small edges and strokes; maps that keep the digit's outline in the first layers and
only say "something is here" in the last; the receptive field, which grows from 5 to 16 pixels and more.
"""

import os

from lecture import accuracy, batch, fit, load, options

from engine import viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
images, labels = batch(test, 8)
model = models.create("lenet5", tuple(images.shape[1:]), 10)
fit(model, train, epochs=1 if chosen.quick else 4 if chosen.mnist or chosen.cifar10 else 20)
print(f"test accuracy {accuracy(model, test):.1%}")

viz.save(os.path.join(chosen.out, "08_filters.png"), sheets.filters(viz.filters(model, "features.0")))
print(f"{'layer':12} {'maps':>14} {'sees':>9} {'stride':>7}")
for layer, field in viz.receptive_fields(model, images.shape[1:]).items():
    size, stride = f"{field.size[0]}x{field.size[1]}", f"{field.stride[0]}"
    print(f"{layer:12} {'x'.join(map(str, field.output)):>14} {size:>9} {stride:>7}")
    maps = viz.activations(model, layer, images[:1])[0]
    viz.save(os.path.join(chosen.out, f"08_maps_{layer}.png"), sheets.activations(maps))
print(f"pictures: {chosen.out}/08_filters.png and 08_maps_*.png, of an image of class {labels[0].item()}")
