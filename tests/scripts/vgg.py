"""Convolutions of 3x3 in a row (Simonyan and Zisserman 2014), described by a text of widths and bars for pools."""

import math

import torch
import torch.nn as nn


def parts(text, norm):
    width = 3
    for word in text.split():
        if word == "|":
            yield nn.MaxPool2d(kernel_size=2, stride=2)
            continue
        yield nn.Conv2d(width, int(word), kernel_size=3, padding=1)
        width = int(word)
        if norm:
            yield nn.BatchNorm2d(width)
        yield nn.ReLU(True)


class VGG(nn.Module):
    def __init__(self, text="64 | 128 | 256 256 | 512 512 | 512 512 |", hidden=512, norm=True, dropout=0.5):
        super().__init__()
        self.maps = nn.Sequential(*parts(text, norm), nn.AvgPool2d(kernel_size=1, stride=1))
        last = int(text.replace("|", "").split()[-1])
        self.rest = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(last, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, 10),
        )
        self.reset()

    def reset(self):
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                height, width = module.kernel_size
                module.weight.data.normal_(0, math.sqrt(2 / (height * width * module.out_channels)))
                if module.bias is not None:
                    module.bias.data.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.data.fill_(1)
                module.bias.data.zero_()

    def forward(self, images):
        return self.rest(torch.flatten(self.maps(images), 1))
