"""Shapes, pieces and arrangements beside PyTorch's: values, gradients, which of them are views, and errors."""

import numpy as np
import pytest
from beside import agree, torch

import engine

SHAPES = [(), (1,), (5,), (3, 4), (2, 1, 3), (0, 3), (2, 3, 4, 5)]


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def array(shape, dtype="float64"):
    return np.asarray(np.random.default_rng(0).standard_normal(shape).astype(dtype))


def agree_each(call, *arrays):
    """agree, for a call that gives a tuple."""
    agree(lambda lib, *a: type(call(lib, *a)).__name__, *arrays)
    agree(lambda lib, *a: len(call(lib, *a)), *arrays)
    for i in range(20):
        agree(lambda lib, *a, i=i: (*call(lib, *a), *[0] * 20)[i], *arrays)


def each(shapes, arguments, *calls):
    for shape in shapes:
        for args in arguments:
            for call in calls:
                print(shape, args)
                agree(lambda lib, x, call=call, args=args: call(lib, x, *args), array(shape))


def test_reshape_and_view():
    sizes = [
        (),
        (1,),
        (-1,),
        (12,),
        (3, -1),
        (-1, 4),
        (2, 6),
        (0, -1),
        (-1, -1),
        (5,),
        (-2, 6),
        (2, 3, 2),
        (1, 12, 1),
        (3, 0),
        (1.5,),
    ]
    each(SHAPES, [(s,) for s in sizes], lambda lib, x, s: x.reshape(s), lambda lib, x, s: lib.reshape(x, s),
         lambda lib, x, s: x.view(s), lambda lib, x, s: x.view(*s) if s else x.view(()), lambda lib, x, s: x.t().view(s) if x.ndim == 2 else x)  # fmt: skip
    each(SHAPES, [()], lambda lib, x: x.ravel(), lambda lib, x: lib.ravel(x), lambda lib, x: x.view_as(lib.zeros(4, 3)),
         lambda lib, x: x.reshape_as(lib.zeros(12)), lambda lib, x: x.expand_as(lib.zeros(3, 3, 4)), lambda lib, x: x.reshape(shape=(-1,)))  # fmt: skip


def test_flatten_and_unflatten():
    each(SHAPES, [(), (0,), (1,), (0, 1), (1, 0), (-2,), (0, -2), (1, 2), (5,), (0, 9)], lambda lib, x, *a: x.flatten(*a),
         lambda lib, x, *a: lib.flatten(x, *a))  # fmt: skip
    for sizes in ((3, 1), (-1, 1), (1, -1), (2, 2), (), (-1, -1), (4,), (-1,), (5, 0), (2, -2)):
        each(SHAPES[1:], [(0, sizes), (1, sizes), (-1, sizes), (7, sizes)], lambda lib, x, *a: x.unflatten(*a))
    agree(lambda lib, x: lib.unflatten(x, 1, (2, 2)), array((3, 4)))
    agree(lambda lib, x: x.unflatten(dim=1, sizes=(2, 2)), array((3, 4)))


def test_axes_of_size_1():
    dims = [(d,) for d in (0, 1, -1, 2, 5, (0, 1), (0, 2), (0, 0), ())]
    each(SHAPES, [(), *dims], lambda lib, x, *a: x.squeeze(*a), lambda lib, x, *a: lib.squeeze(x, *a))
    each(
        SHAPES,
        [(0,), (1,), (-1,), (-2,), (5,), (-7,)],
        lambda lib, x, *a: x.unsqueeze(*a),
        lambda lib, x, *a: lib.unsqueeze(x, *a),
    )
    each(SHAPES, [(0,), (-1,)], lambda lib, x, d: x.unsqueeze(dim=d).squeeze(dim=d), lambda lib, x, d: x.unsqueeze(axis=d),
         lambda lib, x, d: x.detach().clone().unsqueeze_(d), lambda lib, x, d: x.detach().clone().squeeze_(d), lambda lib, x, d: (x * 2).unsqueeze_(d) * 3)  # fmt: skip
    agree(lambda lib, x: x.detach().clone().squeeze_(), array((1, 3, 1)))
    agree(lambda lib, x: x.unsqueeze_(0), array((3,)))


def test_order_of_axes():
    each(SHAPES, [(), (0,), (0, 1), (1, 0), (-1, 0), (2, 0, 1), (0, 0), (0, 5), (0, 1, 2, 3), (3, 2, 1, 0)], lambda lib, x, *o: x.permute(*o) if o else x.permute(()),
         lambda lib, x, *o: x.permute(o), lambda lib, x, *o: lib.permute(x, o), lambda lib, x, *o: x.permute(dims=o))  # fmt: skip
    each(SHAPES, [(0, 1), (0, 0), (-1, 0), (0, 5), (-2, -1), (1, 2)], lambda lib, x, *a: x.transpose(*a), lambda lib, x, *a: lib.transpose(x, *a),
         lambda lib, x, *a: x.swapaxes(*a), lambda lib, x, *a: lib.swapdims(x, *a), lambda lib, x, *a: x.transpose(dim0=a[0], dim1=a[1]),
         lambda lib, x, *a: (x * 1).transpose_(*a))  # fmt: skip
    each(SHAPES, [()], lambda lib, x: x.t(), lambda lib, x: x.T, lambda lib, x: lib.t(x), lambda lib, x: (x * 1).t_())
    each(SHAPES[1:], [()], lambda lib, x: x.mT)
    each(SHAPES[-1:], [((0, 0), (1, 2)), ((0, 3), (1, 0)), ((-1,), (0,))], lambda lib, x, *a: x.movedim(*a))
    each(SHAPES, [(0, 1), (0, -1), ((0, 1), (1, 0)), ((0, 1), (1, 2)), ((0, 2), (2, 1)), ((0, 1), (1,)), (5, 0)],
         lambda lib, x, *a: lib.movedim(x, *a), lambda lib, x, *a: x.movedim(*a))  # fmt: skip


def test_expand():
    sizes = [(3, 4), (2, 3, 4), (-1, 4), (2, -1, -1), (5,), (4, 3), (-1, -1), (2, 5, 3), (1,), (), (2, -2), (7, 0, 3)]
    each(SHAPES, [(s,) for s in sizes], lambda lib, x, s: x.expand(s), lambda lib, x, s: x.expand(*s) if s else x.expand(()), lambda lib, x, s: x.expand(size=s) if lib is torch else x.expand(s))  # fmt: skip
    each(
        SHAPES,
        [(s,) for s in sizes if min(s, default=0) >= 0],
        lambda lib, x, s: x.broadcast_to(s),
        lambda lib, x, s: lib.broadcast_to(x, s),
    )
    a, b = array((3, 1)), array((4,))
    agree_each(lambda lib, a, b: lib.broadcast_tensors(a, b), a, b)
    agree_each(lambda lib, a, b: lib.broadcast_tensors(a, b), a, array((2, 4)))
    for shapes in (((2, 1), (3,)), ((), (4,)), ((2,), (3,)), ((0,), (1,)), ((5, 1, 2), (3, 1))):
        agree(lambda lib, shapes=shapes: tuple(lib.broadcast_shapes(*shapes)))


# ---- taken apart


def test_split_chunk_and_unbind():
    sizes = [1, 2, 3, 10, 0, -1, [1, 2], [3], [1, 1], [2, -1, 2], [0, 3], [5], [2, 2], 1.5, "a"]
    for shape in SHAPES:
        x = array(shape)
        for dim in (0, 1, -1, 7):
            wrong = not shape or dim >= len(
                shape
            )  # then only arguments that are right otherwise: of two mistakes either may be told
            for size in sizes[: 2 if wrong else None]:
                print(shape, dim, size)
                agree_each(lambda lib, x, d=dim, s=size: x.split(s, d), x)
            for n in (1, 2, 3, 10, 0, -1)[: 2 if wrong else None]:
                print(shape, dim, n)
                agree_each(lambda lib, x, d=dim, n=n: x.chunk(n, d), x)
                agree_each(lambda lib, x, d=dim, n=n: lib.tensor_split(x, n, d), x)
            for cuts in ((1,), (1, 2), (), (0, 1, 9), (2, 1), (-1,)):
                agree_each(lambda lib, x, d=dim, c=cuts: x.tensor_split(c, dim=d), x)
            agree_each(lambda lib, x, d=dim: x.unbind(d), x)
    x = array((3, 4))
    agree_each(lambda lib, x: lib.split(x, 2), x)
    agree_each(lambda lib, x: lib.split(x, split_size_or_sections=[1, 2], dim=0), x)
    agree_each(lambda lib, x: lib.chunk(x, chunks=2, dim=1), x)
    agree_each(lambda lib, x: lib.unbind(x), x)
    agree(lambda lib, x: sum((i + 1) * p for i, p in enumerate(x.split([1, 3], 1)[0].unbind(0))), x)
    agree(lambda lib, x: (lambda a, b, c: a * b + c)(*x.chunk(3, 1)), array((2, 6)))


def test_narrow_and_select():
    each(SHAPES, [(0, 0, 1), (1, 1, 2), (-1, -2, 2), (1, 1, 9), (1, -9, 1), (0, 1, -1), (1, 3, 0), (9, 0, 1), (0, 0, 0)],
         lambda lib, x, *a: x.narrow(*a), lambda lib, x, *a: lib.narrow(x, *a))  # fmt: skip
    each(
        SHAPES,
        [(0, 0), (1, 2), (-1, -1), (1, 9), (0, -9), (9, 0)],
        lambda lib, x, *a: x.select(*a),
        lambda lib, x, *a: lib.select(x, *a),
    )


# ---- put together


def test_cat_and_stack():
    a, b, row, none = array((2, 3)), array((4, 3)), array((3,)), np.zeros(0)
    for dim in (0, 1, -1, -2, 2, -3):
        agree(lambda lib, a, b, d=dim: lib.cat([a, b], d), a, b)
        agree(lambda lib, a, b, d=dim: lib.cat((a, a, b[:2]), dim=d), a, b)
        agree(lambda lib, a, b, d=dim: lib.stack([a, b[1:3]], d), a, b)
        agree(lambda lib, a, d=dim: lib.stack([a], dim=d), a)
        agree(lambda lib, a, n, d=dim: lib.cat([n, a, n], d), a, none)
    for call in (
        lambda lib, a, r: lib.cat([a, r]), lambda lib, a, r: lib.stack([a, r]), lambda lib, a, r: lib.cat(a), lambda lib, a, r: lib.stack(a),
        lambda lib, a, r: lib.cat([]), lambda lib, a, r: lib.cat([a, None]), lambda lib, a, r: lib.cat([r.sum(), r.sum()]),
        lambda lib, a, r: lib.cat([a, r.sum()]), lambda lib, a, r: lib.stack([r.sum(), r.sum()]), lambda lib, a, r: lib.cat([r, r.long()]),
        lambda lib, a, r: lib.cat([r.long(), r.bool()]), lambda lib, a, r: lib.stack([r.int(), r.float()]), lambda lib, a, r: lib.concat([a, a], 1),
        lambda lib, a, r: lib.concatenate([a, a], axis=1), lambda lib, a, r: lib.stack([a, a], axis=2), lambda lib, a, r: lib.cat(tensors=[a, a]),
    ):  # fmt: skip
        agree(call, a, row)
    agree(lambda lib, n: lib.cat([n, lib.tensor([1, 2])]), none.astype("float32"))
    for name in ("hstack", "vstack", "dstack"):
        for shape in SHAPES:
            agree(lambda lib, x, name=name: getattr(lib, name)([x, x * 2]), array(shape))
            agree(lambda lib, x, name=name: getattr(lib, name)((x, x)), array(shape))
        agree(lambda lib, a, r, name=name: getattr(lib, name)([a, r]), a, row)
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        for shape in SHAPES:
            agree(lambda lib, x, name=name: getattr(lib, name)(x), array(shape))
        agree_each(lambda lib, a, r, name=name: getattr(lib, name)(a, r), a, row)


def test_meshgrid():
    a, b = array((2,)), array((3,))
    for indexing in ("ij", "xy", "ab"):
        agree_each(lambda lib, a, b, i=indexing: lib.meshgrid(a, b, indexing=i), a, b)
        agree_each(lambda lib, a, b, i=indexing: lib.meshgrid([a, b, a], indexing=i), a, b)
        agree_each(lambda lib, a, b, i=indexing: lib.meshgrid(a, indexing=i), a, b)
    agree_each(lambda lib, a: lib.meshgrid(a, lib.tensor(2.0, dtype=lib.float64)), a)
    agree_each(lambda lib, a: lib.meshgrid(a, a.float()), a)
    agree_each(lambda lib, a: lib.meshgrid(a, a.reshape(2, 1)), a)
    agree_each(lambda lib, a: lib.meshgrid(a), a)


# ---- arranged


def test_repeat_and_tile():
    each([s for s in SHAPES if 0 not in s], [((-1, 1),)], lambda lib, x, r: x.repeat(r))
    each(SHAPES, [(r,) for r in ((2,), (2, 1), (1, 1, 3), (0, 2), (2, 2, 2, 1, 1), (), (1.5,))], lambda lib, x, r: x.repeat(r), lambda lib, x, r: x.repeat(*r) if r else x.repeat(()),
         lambda lib, x, r: x.tile(r), lambda lib, x, r: lib.tile(x, r), lambda lib, x, r: lib.tile(x, dims=r))  # fmt: skip
    each(
        SHAPES,
        [(2,), (0,), (2, 0), (3, -1), (2, 5), (-1,), (1, 1)],
        lambda lib, x, *a: x.repeat_interleave(*a),
        lambda lib, x, *a: lib.repeat_interleave(x, *a),
    )
    for counts in ([1, 2, 0], [2], [1, 2], [1, -1, 2], [[1, 2, 3]], [1.0, 2, 3]):
        c = np.array(counts)
        agree(lambda lib, x, c: x.repeat_interleave(c, 0), array((3, 4)), c)
        agree(lambda lib, x, c: lib.repeat_interleave(x, c.to(lib.int32), dim=0), array((3, 4)), c)
        agree(lambda lib, c: lib.repeat_interleave(c), c)
    agree(lambda lib, x: x.repeat_interleave(2, dim=1, output_size=8), array((3, 4)))


def test_flip_roll_and_rot90():
    each(SHAPES, [((0,),), ((0, 1),), ((-1,),), ((0, 0),), ((5,),), ((),), ((1, 2),)], lambda lib, x, d: x.flip(d), lambda lib, x, d: lib.flip(x, d), lambda lib, x, d: x.flip(*d) if d else x,
         lambda lib, x, d: x.flip(dims=d), lambda lib, x, d: lib.flip(x, dims=list(d)))  # fmt: skip
    each(
        SHAPES,
        [()],
        lambda lib, x: x.fliplr(),
        lambda lib, x: x.flipud(),
        lambda lib, x: lib.fliplr(x),
        lambda lib, x: lib.flipud(x),
    )
    each(SHAPES[-1:], [((1, 2), (0, 0)), (1, (0, 1)), (1, 9)], lambda lib, x, *a: x.roll(*a))
    each([(), (5,)], [(1,), (-2,), ((1, 2),)], lambda lib, x, *a: x.roll(*a))
    each([s for s in SHAPES if len(s) > 1], [(1,), (-2,), (7, 0), ((1, 2), (0, 1)), ((1, 2), 0), (2, -1), ((1, 2),)],
         lambda lib, x, *a: x.roll(*a), lambda lib, x, *a: lib.roll(x, *a))  # fmt: skip
    agree(lambda lib, x: lib.roll(x, shifts=1, dims=0), array((3, 4)))
    each(SHAPES, [(), (0,), (1,), (2,), (3,), (-1,), (5,), (1, (1, 0)), (1, (0, 0)), (1, (0, 2)), (1, (0, 1, 2)), (3, (-1, 0))],
         lambda lib, x, *a: x.rot90(*a), lambda lib, x, *a: lib.rot90(x, *a))  # fmt: skip


def test_triangles_and_diagonals():
    each([*SHAPES, (4, 4)], [(), (1,), (-1,), (9,), (-9,)], lambda lib, x, *a: x.tril(*a), lambda lib, x, *a: lib.triu(x, *a), lambda lib, x, *a: lib.tril(x, *a),
         lambda lib, x, *a: x.detach().clone().tril_(*a), lambda lib, x, *a: x.diag(*a), lambda lib, x, *a: lib.diag(x, *a))  # fmt: skip
    each(
        [*SHAPES, (4, 4)],
        [(), (1,), (-1,), (9,), (0, 1, 0), (1, -1, -2), (0, 1, 1), (0, 2, 0), (0, 0, 7)],
        lambda lib, x, *a: x.diagonal(*a),
        lambda lib, x, *a: lib.diagonal(x, *a),
    )
    each([*SHAPES, (4, 4)], [()], lambda lib, x: x.trace(), lambda lib, x: lib.trace(x))
    agree(lambda lib: lib.tensor([[1, 2], [3, 4]]).trace())
    agree(lambda lib: lib.triu(lib.ones(3, 3, dtype=lib.bool), diagonal=1))

    def fill(lib, x):
        y = x.detach().clone()
        y.diagonal().fill_(7)
        return y

    agree(fill, array((3, 4)))


# ---- which are views

VIEWS = """x.reshape(4,3) x.view(-1) x.t() x.T x.mT x.permute(1,0) x.transpose(0,1) x.expand(2,3,4) x.unsqueeze(0) x.squeeze() x.flatten()
x.ravel() x.narrow(1,1,2) x.select(0,1) x.split(2,1)[1] x.chunk(2)[1] x.unbind(0)[2] x.tensor_split(2,1)[1] x.diagonal() x[1] x[:,1:3]
x[None] x[...,::2] x.movedim(0,1) x.swapaxes(0,1) x.unflatten(1,(2,2)) x.view_as(x) x.expand_as(x) x.detach() x.contiguous() x.broadcast_to((2,3,4))
x.t().reshape(-1) x.t().contiguous() x.clone() x.flip(0) x.roll(1) x.repeat(1,1) x.tril() x.diag() x[[0,1]] x[x>0] x.t().flatten() x.float() x.double()
x.rot90(0) x.repeat_interleave(1) x.tile(1,1) x.to(x.dtype) x.to(x.dtype,copy=True) x.data""".split()  # fmt: skip


@pytest.mark.parametrize("code", VIEWS)
def test_views_are_where_they_are_in_pytorch(code):
    call = eval(f"lambda x: {code}")
    ours, theirs = engine.from_numpy(array((3, 4))), torch.from_numpy(array((3, 4)))
    shared = np.shares_memory(call(theirs).numpy(), theirs.numpy())
    assert np.shares_memory(call(ours).numpy(), ours.numpy()) == shared
    assert strides(call(ours)) == strides(call(theirs))
    assert call(ours).is_contiguous() == call(theirs).is_contiguous()


def strides(x):
    """Those of axes along which there is a next element."""
    return [s for s, n in zip(x.stride(), x.shape, strict=True) if n > 1]


def test_strides():
    for shape in ((5,), (3, 4), (2, 3, 4, 5)):
        for make in (lambda x: x, lambda x: x.permute(*reversed(range(x.ndim))), lambda x: x[..., ::2]):
            agree(lambda lib, x, make=make: make(x).stride(), array(shape))
            for dim in (0, -1, 9):
                agree(lambda lib, x, make=make, d=dim: make(x).stride(d), array(shape))
    agree(lambda lib, x: x.stride(), array(()))


def test_views_as_other_dtypes_are_refused():
    for wanted in (engine.int32, "int32"):
        with pytest.raises(NotImplementedError, match=r"\.to\(int32\)"):
            engine.ones(2).view(wanted)
    with pytest.raises(TypeError, match="integers"):
        engine.ones(2).view(1.5)
    with pytest.raises(TypeError, match="one by one"):
        engine.ones(2).reshape(2, shape=(2,))


def test_windows_along_an_axis():
    each(
        SHAPES[1:],
        [(0, 1, 1), (1, 2, 1), (-1, 3, 2), (-1, 2, 9), (0, 9, 1), (0, 1, 0), (7, 1, 1)],
        lambda lib, x, *a: x.unfold(*a),
    )
    agree(lambda lib, x: x.unfold(2, 3, 1).unfold(3, 2, 2), array((2, 3, 5, 6)))
    agree(lambda lib, x: lib.moveaxis(x, 0, 2), array((2, 3, 4)))
