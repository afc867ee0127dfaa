"""LeNet-5, of CIFAR-10 its like for colours, learns; then its filters, and the maps of every layer for one image, are drawn.

Look at: the first filters, small edges and strokes; maps that keep the digit's outline in the first layers and
only say "something is here" in the last; the receptive field, which grows from 5 to 16 pixels.
"""

from lecture import accuracy, batch, fit, keep, load, options

from engine import viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
images, labels = batch(test, 8)
if chosen.cifar10:
    model = models.from_pattern("[CONV5-RELU-POOL]*2-FC120-RELU-FC84-RELU,SOFTMAX", images.shape[1:], width=0.5)
else:
    model = models.create("lenet5", tuple(images.shape[1:]), 10)
fit(model, train, epochs=1 if chosen.quick else 4 if chosen.mnist or chosen.cifar10 else 20)
print(f"test accuracy {accuracy(model, test):.1%}")

print(f"{'layer':12} {'maps':>14} {'sees':>9} {'stride':>7}")
for layer, field in viz.receptive_fields(model, images.shape[1:]).items():
    size, stride = f"{field.size[0]}x{field.size[1]}", f"{field.stride[0]}"
    print(f"{layer:12} {'x'.join(map(str, field.output)):>14} {size:>9} {stride:>7}")
keep(chosen, "08_filters.png", sheets.filters(viz.filters(model)))
print(f"the maps of an image of class {labels[0].item()}:")
for layer in viz.receptive_fields(model, images.shape[1:]):
    keep(chosen, f"08_maps_{layer}.png", sheets.activations(viz.activations(model, layer, images[:1])[0]))
