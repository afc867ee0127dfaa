"""A LeNet (LeCun et al. 1998) with rectifiers: half of it layers, half of it functions."""

from torch import nn
from torch.nn import functional as F


class LeNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 5)
        self.second = nn.Conv2d(6, 16, (5, 5))
        self.head = nn.ModuleList([nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)])

    def forward(self, images):
        maps = F.max_pool2d(F.relu(self.first(images)), (2, 2))
        maps = F.max_pool2d(F.relu(self.second(maps)), 2)
        features = maps.view(-1, maps.size(1) * maps.size(2) * maps.size(3))
        for i, layer in enumerate(self.head):
            features = layer(F.relu(features) if i else features)
        return features
