"""Networks from the lecture's pattern: two 3x3 convolutions against one of 5x5, and a network of convolutions alone.

Look at: two 3x3 see as far as one 5x5, with 18 weights where that has 25 (between as many channels), and one ReLU more;
convolutions with stride 2 in place of pooling and a mean in place of fully connected layers: an eighth of the parameters,
which learn slower on small sets.
"""

from lecture import accuracy, batch, figure, fit, keep, load, options

import engine
from engine import viz
from engine.vision import models

PATTERNS = {
    "one 5x5": "[CONV5-RELU-POOL]*2-(FC-RELU)*1,SOFTMAX",
    "two 3x3": "[(CONV-RELU)*2-POOL]*2-(FC-RELU)*1,SOFTMAX",
    "convolutions alone": "[CONV-RELU-CONV/2-RELU]*2,SOFTMAX",
}

chosen = options(__doc__)
print(f"between 32 channels: one 5x5 {25 * 32 * 32:,} weights, two 3x3 {2 * 9 * 32 * 32:,}")
train, test = load(chosen)
shape = tuple(batch(test, 1)[0].shape[1:])
rows = []
for name, pattern in PATTERNS.items():
    model = models.from_pattern(pattern, shape, width=0.5)
    report = engine.summary(model, shape)
    sees = [field.size[0] for layer, field in viz.receptive_fields(model, shape).items() if layer.startswith("conv")][
        -1
    ]
    convolutions = sum(p.numel() for layer, p in model.named_parameters() if layer.startswith("conv"))
    epochs = 1 if chosen.quick else 3 if chosen.mnist or chosen.cifar10 else 12
    seconds = fit(model, train, epochs, rate=0.002)
    rows.append((name, accuracy(model, test), report.parameters))
    print(f"{name:19} {pattern}\n{'':19} test accuracy {rows[-1][1]:.2%} after {seconds:.0f} s; {report.parameters:,} parameters, "
          f"{convolutions:,} of them in convolutions, the last of which sees {sees}x{sees} pixels")  # fmt: skip
drawing = figure(6, 3.4)
axes = drawing.add_subplot()
for name, share, parameters in rows:
    axes.scatter(parameters, 100 * share, s=60, label=name)
axes.set(xscale="log", xlabel="parameters", ylabel="test accuracy in %")
axes.legend()
keep(chosen, "07_patterns.png", drawing)
