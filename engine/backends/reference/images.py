"""Images on their way into a net."""

from __future__ import annotations


class Images:
    def normalize(self, images, indices, mean, std):
        """uint8 [N, H, W] or [N, C, H, W], of which `indices`, as float32 [B, C, H, W]: (v / 255 - mean) / std."""
        if images.ndim == 3:
            images = images[:, None]
        if indices is not None:
            bad = self.xp.flatnonzero((indices < 0) | (indices >= len(images)))
            if len(bad):
                i = int(bad[0])
                raise IndexError(
                    f"normalize: index {int(indices[i])} at position {i} is out of range for {len(images)} images"
                )
            images = images[indices]
        scale = self.xp.asarray([1 / (255 * s) for s in std], "float32").reshape(-1, 1, 1)
        shift = self.xp.asarray([-m / s for m, s in zip(mean, std, strict=True)], "float32").reshape(-1, 1, 1)
        return images * scale + shift
