"""Fully connected, locally connected and convolutional networks with about as many parameters, on the same images.

Look at: the convolutional network, best with the same budget, because what it learns in one place serves everywhere; the
locally connected one, which sees neighbourhoods but learns each place by itself, lies between or near the fully connected
one. The picture has accuracy, parameters and seconds side by side.
"""

from lecture import accuracy, batch, figure, fit, keep, load, options

from engine import nn

chosen = options(__doc__)
train, test = load(chosen)
c, h, w = batch(test, 1)[0].shape[1:]
pooled = ((h // 2 - 5) // 2 + 1, (w // 2 - 5) // 2 + 1)
local = nn.LocallyConnected2d(c, 4, 5, (h // 2, w // 2), stride=2)
nets = {"locally connected": nn.Sequential(
    nn.AvgPool2d(2), local, nn.ReLU(), nn.Flatten(), nn.Linear(4 * pooled[0] * pooled[1], 10),
)}  # fmt: skip
budget = sum(p.numel() for p in nets["locally connected"].parameters())
hidden = max(budget // (c * (h // 2) * (w // 2) + 11), 1)
nets["fully connected"] = nn.Sequential(
    nn.AvgPool2d(2), nn.Flatten(), nn.Linear(c * (h // 2) * (w // 2), hidden), nn.ReLU(), nn.Linear(hidden, 10)
)
side = ((h // 2 - 4) // 2, (w // 2 - 4) // 2)
filters = max(budget // (25 * c + 1 + 10 * side[0] * side[1]), 1)
nets["convolutional"] = nn.Sequential(
    nn.AvgPool2d(2), nn.Conv2d(c, filters, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(filters * side[0] * side[1], 10),
)  # fmt: skip
rows = []
for name, net in nets.items():
    seconds = fit(net, train, epochs=1 if chosen.quick else 5 if chosen.mnist or chosen.cifar10 else 30)
    rows.append((name, accuracy(net, test), sum(p.numel() for p in net.parameters()), seconds))
    print(f"{name:18} test accuracy {rows[-1][1]:.2%}, {rows[-1][2]:7,} parameters, {seconds:5.1f} s")
drawing = figure(9, 2.6)
names = [row[0] for row in rows]
for axes, label, values in zip(
    drawing.subplots(1, 3, sharey=True), ("test error in %", "parameters", "seconds of training"),
    ([100 - 100 * r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows]), strict=True,
):  # fmt: skip
    axes.barh(names, values)
    axes.set(xlabel=label)
keep(chosen, "04_local.png", drawing)
