"""Why convolutions: an image of 1000x1000 pixels and a million hidden units, connected in three ways.

Look at: 10^12 parameters where every unit sees every pixel (four terabytes); 10^8 where each sees 10x10 pixels through
filters of its own; 10^4 where 100 filters are shared by all places. Nothing is allocated: the network is made on the
backend that knows shapes alone, and its summary counts.
"""

from lecture import figure, keep, options

import engine
from engine import nn

chosen = options(__doc__)
PIXELS = 1000
with engine.use_backend("shape"):
    nets = {
        "fully connected": nn.Sequential(nn.Flatten(), nn.Linear(PIXELS**2, PIXELS**2, bias=False)),
        "locally connected": nn.LocallyConnected2d(1, 1, 10, (PIXELS + 9, PIXELS + 9), bias=False),
        "convolution, 100 filters": nn.Conv2d(1, 100, 10, bias=False),
    }
print(f"{'':26} {'parameters':>21} {'their memory':>16}")
counts = {}
for name, net in nets.items():
    side = PIXELS + 9 if "locally" in name else PIXELS  # with a border, so that there are a million units
    report = engine.summary(net, (1, side, side))
    counts[name] = report.parameters
    print(f"{name:26} {report.parameters:21,} {report.parameter_bytes / 1e6:13,.2f} MB")
drawing = figure(7, 2.2)
axes = drawing.add_subplot()
axes.barh(list(counts), list(counts.values()), color="tab:blue")
axes.set(xscale="log", xlabel="parameters", xlim=(1e3, 1e14))
for i, count in enumerate(counts.values()):
    axes.annotate(f"{count:,}", (count, i), (4, 0), textcoords="offset points", va="center", fontsize=8)
axes.invert_yaxis()
keep(chosen, "03_parameters.png", drawing)
