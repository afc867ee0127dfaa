"""Two layers, f = W2 max(0, W1 x): hidden units see patterns, the second layer adds up what they say for each class.

Look at: an accuracy that no single template reaches; the hidden units of 02_hidden.png, strongest first, which are
strokes, gaps and pieces of digits where the linear classifier had one blurred template for each class.
"""

import numpy as np
from lecture import accuracy, batch, fit, keep, load, options

import engine
from engine import viz
from engine.nn import functional as F
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
shape = tuple(batch(test, 1)[0].shape[1:])
for name in ("linear", "two_layer"):
    model = models.create(name, shape, 10)
    seconds = fit(model, train, epochs=1 if chosen.quick else 5 if chosen.mnist or chosen.cifar10 else 20)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name:10} {parameters:9,} parameters, test accuracy {accuracy(model, test):.1%} after {seconds:.1f} s")
first, second = (viz.filters(model, layer) for layer in ("fc1", "fc2"))
strongest = np.argsort(-np.abs(second).sum(0) * np.linalg.norm(first, axis=1))[:50]
patterns = first[strongest].reshape(-1, *shape)
if not chosen.mnist and not chosen.cifar10:  # the embedded digits have 8x8 pixels, each repeated 4 by 4
    patterns = F.avg_pool2d(engine.from_numpy(patterns), 4).numpy()
print(f"the {len(strongest)} units that weigh most:")
keep(chosen, "02_hidden.png", sheets.pictures(patterns, 10))
