"""Tables looked up by index: embedding and one_hot."""

from __future__ import annotations

from engine.geometry import ShapeError, integer
from engine.ops._op import expect_tensors, op
from engine.ops.indexing import check_index
from engine.tensor import wrap

__all__: list[str] = []


@op
def embedding_rows(k, indices, weight, *, padding_idx=None, by_frequency=False):
    """weight[indices]: rows of weight[N, D] at integer indices of any shape. Gradients are added in the indices' order.

    The row `padding_idx` gets no gradient; `by_frequency` divides each row's gradient by how often it was looked up.
    """
    if weight.ndim != 2:
        raise ShapeError(f"embedding expects a weight [num_embeddings, embedding_dim], got shape {weight.shape}")
    check_index("embedding", indices, weight.shape[0], 0)
    rows, shape = indices.reshape(-1), weight.shape

    def dweight(g):
        d = k.full(shape, 0, g.dtype)
        k.add_at(d, rows, g.reshape(len(rows), shape[1]))
        if by_frequency:
            counts = k.full(shape[:1], 0, g.dtype)
            k.add_at(counts, rows, 1)
            d = k.div(d, k.maximum(counts, 1).reshape(-1, 1))
        if padding_idx is not None:
            k.assign(d, padding_idx, 0)
        return d

    found = k.getitem(weight, rows).reshape(*indices.shape, shape[1])
    return found, (None, dweight) if weight.dtype.kind == "f" else None


def one_hot(tensor, num_classes=-1):
    """int64 of the shape of `tensor` and an axis of `num_classes`: 1 at the class, 0 elsewhere.

    num_classes -1 is one more than the largest class there is.
    """
    expect_tensors("one_hot", tensor=tensor)
    if tensor.dtype.name != "int64":
        raise RuntimeError(
            f"one_hot is only applicable to index tensors of dtype int64, got {tensor.dtype}; use .long()"
        )
    classes, k = tensor._array, tensor._k
    num_classes = integer(num_classes, "num_classes")
    if num_classes == -1:
        if not classes.size:
            raise RuntimeError("one_hot: can not infer the number of classes from an empty tensor; give num_classes")
        num_classes = int(classes.max()) + 1
    elif num_classes <= 0:
        raise RuntimeError(f"one_hot: num_classes should be positive, got {num_classes}")
    if classes.size and not 0 <= classes.min():
        raise RuntimeError(f"one_hot: class values must be non-negative, got {classes.min()}")
    if classes.size and not classes.max() < num_classes:
        raise RuntimeError(
            f"one_hot: class values must be smaller than num_classes, {num_classes}, got {classes.max()}"
        )
    y = k.full((*classes.shape, num_classes), 0, classes.dtype)
    k.assign_along(y, classes[..., None], 1, classes.ndim)
    return wrap(y, k)
