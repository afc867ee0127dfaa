"""RESULTS.png: how many times faster than PyTorch, network by network and convolution by convolution."""

RATIO = "speed / PyTorch's"


def draw(tables, path):
    """Bars for networks and convolutions, as far as there are figures; False when there is no matplotlib or nothing to draw."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    parts = [(title, rows) for title, rows in map(_part, tables.values()) if rows]
    if not parts:
        return False
    heights = [1 + 0.22 * len(rows) for _, rows in parts]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    axes = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, (title, rows) in zip(axes, parts, strict=True):
        names, values, peers = zip(*rows, strict=True)
        places = range(len(rows))
        ax.barh(places, values, color=["#4c78a8" if v >= 1 else "#e45756" for v in values], zorder=2)
        for name, marker in (("ONNX Runtime", "D"), ("TensorFlow", "s"), ("JAX", "^")):
            found = [(peer[name], place) for place, peer in zip(places, peers, strict=True) if peer.get(name)]
            if found:
                ax.scatter(
                    *zip(*found, strict=True), marker=marker, s=14, color="black", zorder=3, label=f"over {name}"
                )
        ax.axvline(1, color="black", linewidth=1)
        ax.axvline(2, color="grey", linewidth=1, linestyle="--")
        ax.set_yticks(places, names, fontsize=7)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(0, max(4.0, 1.1 * max(values)))
        ax.grid(axis="x", alpha=0.3)
        ax.set_title(f"{title}: times as fast as PyTorch at its best", fontsize=9)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    return True


def _part(table):
    """A table's title and [(name of a row, ratio, the row)]; none unless it is one of those to be drawn."""
    if table.title.split(",")[0] not in ("Networks", "Convolutions", "Training steps held to AVX2"):
        return table.title, []
    return table.title, [
        (" ".join(map(str, row[: table.keys])), record[RATIO], record)
        for row, record in zip(table.rows, table.records(), strict=True)
        if record[RATIO]
    ]
