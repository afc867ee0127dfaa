"""A variational autoencoder (Kingma and Welling 2013) and what it minimises."""

import torch
from torch import nn
from torch.nn import functional as F


class Autoencoder(nn.Module):
    def __init__(self, pixels=784, hidden=400, code=20):
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * code))
        self.decode = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def forward(self, images):
        centre, log_variance = self.encode(images).chunk(2, dim=1)
        noise = torch.randn_like(centre)
        drawn = centre + noise * torch.exp(log_variance / 2)
        return torch.sigmoid(self.decode(drawn)).view_as(images), centre, log_variance


def objective(images, made, centre, log_variance):
    """Cross-entropy of pixels and divergence of the codes from a normal distribution, both summed."""
    pixels = F.binary_cross_entropy(made, images, reduction="sum")
    divergence = 0.5 * torch.sum(centre.pow(2) + log_variance.exp() - log_variance - 1)
    return pixels + divergence
