"""Images on their way into a net."""

from __future__ import annotations


class Images:
    def augment(self, images, indices, windows, flips, holes, size, fill, scale, shift, value):
        """Windows of uint8 images [N, C, H, W], mirrored, times `scale` plus `shift`, with holes: float32 [B, C, *size].

        See the operation `augment_images`; absent arrays are None, the last four lists hold a float per channel.
        """
        xp = self.xp
        if indices is not None:
            bad = xp.flatnonzero((indices < 0) | (indices >= len(images)))
            if bad.size:
                i = int(bad[0])
                raise IndexError(
                    f"augment: index {int(indices[i])} at position {i} is out of range for {len(images)} images"
                )
            images = images[indices]
        count, channels, height, width = images.shape
        corner = xp.zeros((count, 2), "int64") if windows is None else windows
        rows = corner[:, 0, None] + xp.arange(size[0])
        columns = corner[:, 1, None] + xp.arange(size[1])
        if flips is not None:
            columns = xp.where(flips[:, None], columns[:, ::-1], columns)
        seen = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
        rows, columns = rows.clip(0, max(height - 1, 0)), columns.clip(0, max(width - 1, 0))
        b = xp.arange(count)[:, None, None]
        fill, scale, shift, value = (xp.asarray(v, "float32").reshape(-1, 1, 1) for v in (fill, scale, shift, value))
        y = xp.broadcast_to(fill, (count, channels, *size))
        if height and width:
            y = xp.where(seen[:, None], images[b, :, rows[:, :, None], columns[:, None]].transpose(0, 3, 1, 2), y)
        y = y * scale + shift
        if holes is not None:
            down, across = (xp.arange(n) - holes[:, i, None] for i, n in enumerate(size))
            inside = [(d >= 0) & (d < holes[:, 2 + i, None]) for i, d in enumerate((down, across))]
            y = xp.where((inside[0][:, :, None] & inside[1][:, None])[:, None], value, y)
        return xp.ascontiguousarray(y, dtype="float32")

    def warp(self, images, matrices, size, bilinear, fill):
        """See the operation `warp_images`."""
        xp = self.xp
        points = xp.stack([*xp.meshgrid(xp.arange(size[1]) + 0.5, xp.arange(size[0]) + 0.5), xp.ones(size)])
        x, y = xp.moveaxis(xp.einsum("bij,jhw->bihw", matrices, points), 1, 0) - 0.5
        if not bilinear:
            value, share = self._pixels(images, xp.rint(y), xp.rint(x), 1.0)
        else:
            top, left = xp.floor(y), xp.floor(x)
            value, share = 0.0, 0.0
            for row, wy in ((top, top + 1 - y), (top + 1, y - top)):
                for column, wx in ((left, left + 1 - x), (left + 1, x - left)):
                    part, inside = self._pixels(images, row, column, wy * wx)
                    value, share = value + part, share + inside
        if fill is not None:
            value = value * share + (1 - share) * xp.asarray(fill, images.dtype).reshape(-1, 1, 1)
        return xp.ascontiguousarray(value, dtype=images.dtype)

    def _pixels(self, images, rows, columns, weight):
        """`weight` times the pixels [B, C, ...] at `rows` and `columns` [B, ...], 0 outside; and the weights inside."""
        height, width = images.shape[2:]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        share = (inside * weight).astype(images.dtype)[:, None]
        if not height or not width:
            return self.xp.zeros((images.shape[0], images.shape[1], *rows.shape[1:]), images.dtype), share
        rows, columns = (self.xp.where(inside, i, 0).astype("int64") for i in (rows, columns))
        b = self.xp.arange(images.shape[0])[:, None, None]
        return self.xp.moveaxis(images[b, :, rows, columns], 3, 1) * share, share
