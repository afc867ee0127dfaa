"""A net that repaints pictures, and the products of feature maps that style is measured by (Johnson et al. 2016)."""

import torch
import torch.nn.functional as F


def mirrored(before, after, size, stride=1):
    """A convolution over the picture and its mirror images: no frame of zeros."""
    return torch.nn.Sequential(torch.nn.ReflectionPad2d(size // 2), torch.nn.Conv2d(before, after, size, stride))


class Stroke(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one, self.two = mirrored(width, width, 3), mirrored(width, width, 3)
        self.norms = torch.nn.ModuleList(torch.nn.InstanceNorm2d(width, affine=True) for _ in range(2))

    def forward(self, x):
        y = self.norms[0](self.one(x)).relu()
        return x + self.norms[1](self.two(y))


class Repaint(torch.nn.Module):
    def __init__(self, w=8, strokes=2):
        super().__init__()
        self.look = torch.nn.ModuleList([mirrored(3, w, 9), mirrored(w, 2 * w, 3, stride=2)])
        self.paint = torch.nn.ModuleList([mirrored(2 * w, w, 3), mirrored(w, 3, 9)])
        self.calm = torch.nn.ParameterDict({"scale": torch.nn.Parameter(torch.ones(1))})
        self.norms = torch.nn.ModuleList([torch.nn.InstanceNorm2d(k, affine=True) for k in (w, 2 * w, w)])
        self.strokes = torch.nn.Sequential(*[Stroke(2 * w)] + [Stroke(2 * w) for _ in range(strokes - 1)])

    def forward(self, pictures):
        x = pictures
        for layer, norm in zip(self.look, self.norms[:2], strict=True):
            x = torch.nn.functional.relu(norm(layer(x)))
        x = F.interpolate(self.strokes(x), mode="nearest", scale_factor=2)
        x = self.norms[-1](self.paint[0](x)).clamp(min=0)
        return self.paint[1](x) * self.calm["scale"]


def products(maps):
    """How channels go together: [N, C, C], over the number of elements."""
    n, c, h, w = maps.size()
    flat = maps.view(n, c, h * w)
    return torch.bmm(flat, flat.transpose(1, 2)).div(c * h * w)


def whitened(pictures):
    """Bytes as floats, less the mean of natural pictures, over their deviation; the pictures are changed."""
    mean, deviation = (pictures.new_tensor(x)[:, None, None] for x in ([0.48, 0.46, 0.41], [0.23, 0.22, 0.225]))
    return pictures.div_(255).sub(mean) / deviation
