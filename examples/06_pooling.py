"""Pooling: the lecture's numbers, and how well networks with it, and with strides instead, bear images that are shifted.

Look at: 2x2 windows with stride 2 on the 4x4 slice, largest and mean; then the accuracy on test images moved by 0 to 4
pixels: it falls for both networks, but later where pooling has thrown away where exactly a stroke was.
"""

import numpy as np
from lecture import accuracy, batch, figure, fit, keep, load, options

import engine
from engine.nn import functional as F
from engine.utils.data import TensorDataset
from engine.vision import models

chosen = options(__doc__)
x = engine.tensor([[[[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]]])
print("slice", x[0, 0].tolist())
print("largest of 2x2, stride 2:", F.max_pool2d(x, 2)[0, 0].tolist(), " mean:", F.avg_pool2d(x, 2)[0, 0].tolist())

train, test = load(chosen)
images, labels = batch(test, 2000)
patterns = {
    "with pooling": "[CONV5-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX",
    "strides instead": "[CONV5/2-RELU]*3-(FC-RELU)*1,SOFTMAX",
}
shifts, curves = range(5), {}
for name, pattern in patterns.items():
    net = models.from_pattern(pattern, images.shape[1:], width=0.5)
    fit(net, train, epochs=1 if chosen.quick else 4 if chosen.mnist or chosen.cifar10 else 12, rate=0.001)
    edge = images.numpy()[:, :, :1, :1]
    curves[name] = []
    for shift in shifts:
        moved = np.broadcast_to(edge, images.shape).copy()
        moved[:, :, :, shift:] = images.numpy()[:, :, :, : images.shape[3] - shift]
        curves[name].append(accuracy(net, TensorDataset(engine.from_numpy(moved), labels)))
    print(f"{name:15} moved by 0 to 4 pixels: " + ", ".join(f"{share:.1%}" for share in curves[name]))
drawing = figure(5, 3.4)
axes = drawing.add_subplot()
for name, shares in curves.items():
    axes.plot(shifts, [100 * share for share in shares], marker="o", label=name)
axes.set(xlabel="pixels to the right", ylabel="test accuracy in %", xticks=list(shifts))
axes.legend()
keep(chosen, "06_shift.png", drawing)
