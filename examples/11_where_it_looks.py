"""Where does a network look? Six answers for the same eight images, a row each, the images on top: saliency, guided
backpropagation, the deconvnet, integrated gradients, Grad-CAM and occlusion.

Look at: saliency, noisy, but brightest on the object; guided backpropagation and the deconvnet, which draw its outline;
Grad-CAM and occlusion, coarse, which say where the evidence for the class lies.
"""

import numpy as np
from lecture import accuracy, batch, fit, keep, load, options

from engine import viz
from engine.vision import models
from engine.viz import sheets

chosen = options(__doc__)
train, test = load(chosen)
images, _ = batch(test, 8)
model = models.from_pattern("[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX", images.shape[1:])
fit(model, train, epochs=1 if chosen.quick else 3 if chosen.cifar10 else 2 if chosen.mnist else 10, rate=0.001)
print(f"test accuracy {accuracy(model, test):.1%}")

last = "conv3_2_relu"
shares = viz.integrated_gradients(model, images, steps=8 if chosen.quick else 32)
picture = sheets.attributions(
    images.numpy(),
    viz.saliency(model, images),
    viz.guided_backprop(model, images),
    viz.deconvnet(model, last, images),
    np.abs(shares).sum(1),
    viz.grad_cam(model, last, images),
    -viz.occlusion(model, images, size=6, stride=8 if chosen.quick else 2),
)
print("rows: images, saliency, guided backpropagation, deconvnet, integrated gradients, Grad-CAM, occlusion")
keep(chosen, "11_where.png", picture)
