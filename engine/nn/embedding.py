"""Embedding and Bilinear: tables of vectors, and products of two inputs."""

from __future__ import annotations

from engine import functions
from engine.geometry import ShapeError, integer
from engine.grad_mode import no_grad
from engine.nn import functional as F
from engine.nn import init
from engine.nn.module import Module
from engine.nn.parameter import Parameter
from engine.ops._op import expect_tensors

__all__ = ["Bilinear", "Embedding"]


class Embedding(Module):
    """A vector of `embedding_dim` numbers for each of `num_embeddings` indices; weight [num_embeddings, embedding_dim].

    The weight starts normal. The row `padding_idx` starts at 0 and gets no gradient; the other arguments are those of
    `F.embedding`.
    """

    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
        sparse=False, _weight=None, _freeze=False, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.num_embeddings = rows = integer(num_embeddings, "num_embeddings")
        self.embedding_dim = integer(embedding_dim, "embedding_dim")
        if padding_idx is not None:
            if not -rows <= integer(padding_idx, "padding_idx") < rows:
                raise AssertionError(
                    f"Embedding: padding_idx must be within num_embeddings, got {padding_idx} of {rows}"
                )
            padding_idx %= rows
        if sparse:
            raise NotImplementedError("Embedding(sparse=True): sparse gradients are not offered")
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            empty = functions.empty(rows, self.embedding_dim, dtype=dtype, device=device)
            self.weight = Parameter(empty, requires_grad=not _freeze)
            self.reset_parameters()
        elif _weight.shape != (rows, self.embedding_dim):
            raise ShapeError(f"Embedding: a weight of shape {_weight.shape}, expected {(rows, self.embedding_dim)}")
        else:
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self):
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    @classmethod
    def from_pretrained(
        cls, embeddings, freeze=True, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False
    ):  # fmt: skip
        """An Embedding over the memory of `embeddings` [N, D], which is not trained if `freeze`."""
        expect_tensors("Embedding.from_pretrained", embeddings=embeddings)
        if embeddings.ndim != 2:
            raise AssertionError(f"Embedding.from_pretrained expects 2 dimensions, got shape {embeddings.shape}")
        return cls(*embeddings.shape, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def forward(self, input):
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self):
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
        ):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)


class Bilinear(Module):
    """x1 @ weight[o] @ x2 + bias[o] for each of out_features, of x1[..., in1_features] and x2[..., in2_features]."""

    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in1_features = integer(in1_features, "in1_features")
        self.in2_features = integer(in2_features, "in2_features")
        self.out_features = integer(out_features, "out_features")
        if self.in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features must be positive, got {in1_features}")
        like = {"dtype": dtype, "device": device}
        sizes = self.out_features, self.in1_features, self.in2_features
        self.weight = Parameter(functions.empty(*sizes, **like))
        self.register_parameter("bias", Parameter(functions.empty(self.out_features, **like)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = self.in1_features**-0.5
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input1, input2):
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
