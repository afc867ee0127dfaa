"""Images from noise, and a critic that tells them from real ones (Radford et al. 2015)."""

import torch
import torch.nn as nn
import torch.nn.parallel


def initialise(module):
    """By the name of the class, which takes in convolutions of either direction."""
    kind = module.__class__.__name__
    if kind.find("Conv") != -1:
        nn.init.normal_(module.weight, mean=0.0, std=0.02)
    elif "BatchNorm" in kind:
        module.weight.data.normal_(1.0, 0.02)
        module.bias.data.fill_(0)


def painter(code=16, w=8):
    layers, widths = [], [code, 4 * w, 2 * w, w]
    for i, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
        layers += [
            nn.ConvTranspose2d(before, after, 4, 2 if i else 1, 1 if i else 0, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(True),
        ]
    net = nn.Sequential(*layers, nn.ConvTranspose2d(w, 3, 4, 2, 1, bias=False), nn.Tanh())
    return net.apply(initialise)


class Critic(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.first = nn.Conv2d(3, w, 4, 2, 1, bias=False)
        self.rest = nn.Sequential()
        for k in (1, 2):
            self.rest.add_module(f"conv{k}", nn.Conv2d(k * w, 2 * k * w, 4, 2, 1, bias=False))
            self.rest.add_module(f"norm{k}", nn.BatchNorm2d(2 * k * w))
            self.rest.add_module(f"leak{k}", nn.LeakyReLU(0.2, inplace=True))
        self.last = nn.Conv2d(4 * w, 1, 4, 1, 0, bias=False)
        self.leak, self.squash = nn.LeakyReLU(0.2), nn.Sigmoid()
        self.apply(initialise)

    def forward(self, images):
        hidden = self.rest(self.leak(self.first(images)))
        if hidden.is_cuda:
            return nn.parallel.data_parallel(self.last, hidden)
        return self.squash(self.last(hidden)).view(-1, 1).squeeze(1)


def rounds(paint, judge, optimizers, pairs):
    """For each (real images, noise): the critic learns, then the painter; the losses of both."""
    criterion = nn.BCELoss()
    of_painter, of_critic = optimizers
    for images, noise in pairs:
        truth = torch.full((images.size(0),), 1, dtype=images.dtype, device=images.device)
        judge.zero_grad()
        made = paint(noise)
        doubt = criterion(judge(images), truth)
        doubt.backward()
        credulity = criterion(judge(made.detach()), torch.zeros_like(truth))
        credulity.backward()
        of_critic.step()

        paint.zero_grad()
        unconvincing = criterion(judge(made), truth.fill_(1))
        unconvincing.backward()
        of_painter.step()
        yield [(doubt + credulity).item(), unconvincing.item()]
