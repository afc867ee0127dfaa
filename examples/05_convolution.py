"""The convolution layer: K filters of size F, stride S, padding P; 32x32x3 and six filters of 5x5x3 give 28x28x6.

Look at: the sums, which say how large the output is; 05_window.png, an image with the window in four places and the number
that one filter makes of each; 05_maps.png, the six maps of six filters that were not learnt but drawn by hand (edges in
four directions, blur, and the difference from the blur).
"""

import numpy as np
from lecture import batch, figure, keep, load, options

import engine
from engine import viz
from engine.extras import needed
from engine.nn import functional as F
from engine.viz import sheets

chosen = options(__doc__)
for size, kernel, stride, padding in ((32, 5, 1, 0), (7, 3, 1, 0), (7, 3, 2, 0), (7, 3, 1, 1), (224, 11, 4, 2)):
    text = viz.size_sum(size, kernel, stride, padding)
    print(f"size {size:3}, filter {kernel:2}, stride {stride}, padding {padding}: {text}")

image = batch(load(chosen)[1], 1)[0]
image = F.interpolate(image, (32, 32)).numpy().repeat(3 // image.shape[1], 1)
up, line = np.sign(np.arange(-2, 3))[:, None] * np.ones((1, 5)), np.arange(5)
slant = np.sign(line[:, None] + line - 4)
blur = np.ones((5, 5)) / 25
point = np.zeros((5, 5))
point[2, 2] = 1
drawn = np.stack([up / 10, up.T / 10, slant / 10, slant[:, ::-1] / 10, blur, point - blur])
weight = np.repeat(drawn[:, None], 3, 1).astype("float32") / 3
y = F.conv2d(engine.from_numpy(image), engine.from_numpy(weight), engine.zeros(6))
print(f"input {image.shape[1:]}, weights {weight.shape}: {weight.size} and 6 biases (here 0); output {y.shape[1:]}")
keep(chosen, "05_maps.png", sheets.activations(y.numpy()[0]))

drawing = figure(9, 2.8)
for axes, (top, left) in zip(drawing.subplots(1, 4), ((0, 0), (0, 1), (13, 13), (27, 27)), strict=True):
    axes.imshow(viz.to_bytes(image)[0])
    axes.add_patch(
        needed("matplotlib.patches", "the picture").Rectangle((left - 0.5, top - 0.5), 5, 5, fill=False, ec="r")
    )
    axes.set_title(f"window at ({top}, {left})\ngives {y.numpy()[0, 0, top, left]:.2f}", fontsize=9)
    axes.axis("off")
keep(chosen, "05_window.png", drawing)
