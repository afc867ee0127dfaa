"""The linear score function f = Wx + b, trained with softmax (cross-entropy) and with the multi-class hinge loss.

Look at: the accuracy, about as good with either loss; the rows of W as pictures, one template for each class (first row
softmax, second row hinge): the score of an image is its likeness to the template, bright where ink speaks for the class.
On CIFAR-10 a car, a horse with a head on either side and a blue sea can be made out.
"""

import numpy as np
from lecture import accuracy, batch, fit, keep, load, options

import engine
from engine import nn, viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
shape = tuple(batch(test, 1)[0].shape[1:])
templates = []
for name, loss in (("softmax", nn.CrossEntropyLoss()), ("hinge", nn.MultiMarginLoss())):
    model = models.create("linear", shape, 10)
    nn.init.zeros_(model.fc.weight)  # nothing but what was learnt will be seen
    # Weight decay takes the noise out of templates, at about the same accuracy.
    optimizer = engine.optim.SGD(
        model.parameters(), lr=0.002, momentum=0.9, weight_decay=0.1 if chosen.cifar10 else 0.01
    )
    epochs = 1 if chosen.quick else 5 if chosen.mnist or chosen.cifar10 else 60
    seconds = fit(model, train, epochs, loss=loss, optimizer=optimizer)
    print(f"{name:8} test accuracy {accuracy(model, test):.1%} after {seconds:.1f} s")
    templates.append(viz.filters(model, "fc").reshape(10, *shape))
keep(chosen, "01_templates.png", sheets.pictures(np.concatenate(templates), 10))
