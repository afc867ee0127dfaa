"""Images through the same layers: are two of them alike (Koch et al. 2015), is one nearer than another (Schroff et al. 2015)."""

import torch
import torch.nn as nn


def tower(w=8):
    return nn.Sequential(
        nn.Conv2d(1, w, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False),
        nn.BatchNorm2d(w),
        nn.PReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        nn.Conv2d(w, 2 * w, 3, padding=1),
        nn.GroupNorm(4, 2 * w),
        nn.ELU(),
        nn.AdaptiveAvgPool2d((2, 2)),
        nn.Flatten(),
    )


class Alike(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        whole = tower()
        self.tower = torch.nn.Sequential(*list(whole.children())[:-1])  # all but the last
        self.judge = nn.Sequential(nn.Linear(128, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1), nn.Sigmoid())
        self.judge.apply(self.start)

    def start(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight)
            module.bias.data.fill_(0.01)

    def forward(self, one, other):
        features = [self.tower(x).view(x.size()[0], -1) for x in (one, other)]
        return self.judge(torch.cat(features, 1))


class Nearer(nn.Module):
    def __init__(self, margin=0.5):
        super().__init__()
        self.tower, self.loss = tower(), nn.TripletMarginLoss(margin=margin)

    def forward(self, anchor, near, far):
        return self.loss(*(nn.functional.normalize(self.tower(x), p=2, dim=1) for x in (anchor, near, far)))
