"""Features while they form, what each class looks like to the network, and where it errs.

Look at: 12_evolution.png, below the images a row for each snapshot, the first before training: random filters give back
a dim copy, trained ones the edges that matter, most of them after one epoch; 12_classes.png: an image made up for each
class, which excites its score most; 12_confusion.png (rows: what images are, columns: what they were taken for) and the
errors the network is surest of, some of which you would make, too.
"""

import os

import numpy as np
from lecture import batch, fit, load, options

from engine import viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
images, labels = batch(test, 200 if chosen.quick else 2000)
model = models.from_pattern("[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX", images.shape[1:])
snapshots = []


def look(number):
    """Project what the second block of layers makes of eight images."""
    snapshots.append(viz.deconvnet(model, "conv2_2_relu", images[:8]))


look(0)
fit(
    model, train, epochs=2 if chosen.quick else 3 if chosen.cifar10 or chosen.mnist else 8, rate=0.001, after_epoch=look
)
shares = viz.probabilities(model, images)
counts, errors = viz.confusion_matrix(shares, labels), viz.worst_errors(shares, labels)
print(f"{counts.trace()} of {len(images)} test images right; the errors it is surest of:")
for which, taken, label, share in list(zip(errors.which, errors.taken, errors.label, errors.share, strict=True))[:5]:
    print(f"  image {which}: a {label}, taken for a {taken} with {share:.1%}")
steps, size = 8 if chosen.quick else 128, tuple(images.shape[1:])
made_up = np.stack([viz.maximise(model, "scores", c, size, steps=steps) for c in range(10)])
for name, picture in {
    "evolution": sheets.attributions(images[:8].numpy(), *snapshots),
    "classes": sheets.pictures(made_up),
    "confusion": sheets.confusion(counts),
    "errors": sheets.pictures(images.numpy()[errors.which] if len(errors.which) else images[:1].numpy()),
}.items():
    viz.save(os.path.join(chosen.out, f"12_{name}.png"), picture)
    print(f"picture: {chosen.out}/12_{name}.png")
