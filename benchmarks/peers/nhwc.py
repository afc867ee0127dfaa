"""Weights for frameworks whose images are [N, H, W, C] on a CPU, and their gradients back again."""

from benchmarks.nets import NETS


def there(net, arrays):
    """{name: array} with kernels [kh, kw, C, O], fully connected weights [inputs, outputs]."""
    flattened, image = NETS[net].flattened or (None, None)

    def turn(name, a):
        if a.ndim == 4:
            return a.transpose(2, 3, 1, 0)
        if name == flattened:
            return a.reshape(-1, *image).transpose(2, 3, 1, 0).reshape(-1, a.shape[0])
        return a.T if a.ndim == 2 else a

    return {name: turn(name, a) for name, a in arrays.items() if not name.endswith("num_batches_tracked")}


def back(net, arrays):
    """The inverse of `there`."""
    flattened, image = NETS[net].flattened or (None, None)

    def turn(name, a):
        if a.ndim == 4:
            return a.transpose(3, 2, 0, 1)
        if name == flattened:
            channels, height, width = image
            return a.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(a.shape[1], -1)
        return a.T if a.ndim == 2 else a

    return {name: turn(name, a) for name, a in arrays.items()}


def images(arrays):
    """The batches [count, N, C, H, W] as a list of contiguous [N, H, W, C]."""
    return [batch.transpose(0, 2, 3, 1).copy() for batch in arrays["images"]]
