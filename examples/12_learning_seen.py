"""Features while they form, what each class looks like to the network, and where it errs.

Look at: 12_evolution.png, for eight feature maps the patch that excites each most and below it what the deconvnet makes
of that, in a column for each snapshot, the first before training: the patch changes until the map has found what it
stands for, most of them after few epochs (Zeiler and Fergus 2013, figure 4); 12_classes.png: an image made up for each
class, which excites its score most; 12_confusion.png (rows: what images are, columns: what they were taken for) and the
errors the network is surest of, some of which you would make, too.
"""

import numpy as np
from lecture import batch, fit, keep, load, options

from engine import viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
images, labels = batch(test, 200 if chosen.quick else 2000)
model = models.from_pattern("[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX", images.shape[1:])
snapshots = []


def remember(_=None):
    """Keep the weights as they are now."""
    snapshots.append({name: value.clone() for name, value in model.state_dict().items()})


remember()
epochs = 2 if chosen.quick else 3 if chosen.cifar10 or chosen.mnist else 8
fit(model, train, epochs, rate=0.001, after_epoch=remember)
shares = viz.probabilities(model, images)
counts, errors = viz.confusion_matrix(shares, labels), viz.worst_errors(shares, labels)
print(f"{counts.trace()} of {len(images)} test images right; the errors it is surest of:")
for which, taken, label, share in list(zip(errors.which, errors.taken, errors.label, errors.share, strict=True))[:5]:
    print(f"  image {which}: a {label}, taken for a {taken} with {share:.1%}")
steps, size = 8 if chosen.quick else 128, tuple(images.shape[1:])
made_up = np.stack([viz.maximise(model, "scores", c, size, steps=steps) for c in range(10)])
keep(chosen, "12_evolution.png", sheets.evolution(viz.evolution(model, "conv2_2_relu", images, snapshots)))
keep(chosen, "12_classes.png", sheets.pictures(made_up))
keep(chosen, "12_confusion.png", sheets.confusion(counts))
if len(errors.which):
    keep(chosen, "12_errors.png", sheets.pictures(images.numpy()[errors.which]))
