"""Training steps and inference of whole networks beside all peers; held to AVX2; on one thread and more."""

from benchmarks import nets
from benchmarks.peers.find import PEERS
from benchmarks.peers.graphs import GRAPHS, Count
from benchmarks.results import Table, ratio
from benchmarks.shapes import FULL
from benchmarks.worker_engine import network

# Behind batch norm rounding decides on which side of 0 a few values fall: gradients of ResNet-18 in float32 differ from
# those in float64 by up to 1.3e-2 in PyTorch and 1.4e-2 here, of ResNet-20 by 5e-3 and 3e-3, while the losses differ by
# 1e-7; two frameworks may err in opposite directions. Inference and losses have no such steps.
NORMED, PLAIN, VALUES = 3e-2, 1e-3, 2e-5


def tolerance(what, given):
    """What the outputs of a task on the arrays `given` may differ by."""
    gradient = NORMED if any(name.endswith("running_mean") for name in given) else PLAIN
    return {"gradient": gradient, "": VALUES} if what == "training" else VALUES


COMPILED = FULL.usual  # torch.compile takes most of a minute for each


def arrays(name, batch, count=8):
    """Weights, images and labels."""
    images, labels = nets.batches(name, batch, count)
    return {**nets.weights(network(name).state_dict()), "images": images, "labels": labels}


def flops(name, batch):
    """{"training", "inference": flops of one step} of convolutions and fully connected layers."""
    count = Count({key: tuple(value.shape) for key, value in network(name).state_dict().items()})
    GRAPHS[name](count, (batch, *nets.NETS[name].image))
    return {"training": count.training, "inference": count.forward}


def networks(plan):
    """Each network, batch and task beside PyTorch in all its ways and the other peers."""
    others = [name for name in PEERS if name != "torch"]
    columns = ("network", "batch", "what", "ms", "% of peak", "PyTorch ms", "its way", "speed / PyTorch's", "as installed",
               "kept pages", "compiled", "frozen", *(PEERS[name].title for name in others), "quiet rounds")  # fmt: skip
    table, arena = Table(f"Networks, {plan.threads} threads", columns, keys=3), plan.arena("all")
    for name, batches in plan.menu.nets.items():
        for batch in batches:
            given, work = arrays(name, batch), flops(name, batch)
            for what in ("training", "inference"):
                sides = [s for s in arena.sides if _takes_part(f"{s.name} {s.layout}".split(), what, name, batch)]
                outcome = arena.contest(what, given, threads=plan.threads, sides=sides, tolerance=tolerance(what, given), peak=True,
                                        what=f"{name} at batch {batch}", net=name)  # fmt: skip
                table.rows.append((name, batch, what, *_cells(outcome, work[what], others), outcome.quiet))
    table.notes.append(
        "Training is one step: zero_grad, forward, cross-entropy, backward, SGD with momentum. Losses, every gradient and the "
        "loss after the step agreed. PyTorch stands at the best of all its ways. From *as installed* on: how many times as "
        "long as ours each took. *As installed*: eager, glibc's malloc as it comes, the better layout. *Kept pages*: eager, "
        "malloc told to give no memory back, which spares PyTorch the page faults of its large activations; *compiled* "
        "(torch.compile, channels_last, not for all) and *frozen* (torch.jit.optimize_for_inference) have that "
        "too. TensorFlow has no gradient of grouped convolutions on the CPU."
    )
    return table


def _takes_part(words, what, net, batch):
    """Whether a side of these words can do it, in a reasonable time."""
    if "compiled" in words:
        return (net, batch) in COMPILED
    if {"tensorflow", "jax"} & set(words) and batch > 64:
        return False
    if what == "training":
        return not {"frozen", "onnxruntime"} & set(words) and not ("tensorflow" in words and net == "resnext")
    return True


def _cells(outcome, work, others):
    """From "ms" to the last peer."""
    ours = outcome.seconds.get("engine")
    if not ours:
        return [None] * (9 + len(others))
    way, theirs = outcome.best("torch")
    ways = (
        outcome.best("torch", without=("kept",)), outcome.best("kept", without=("compiled", "frozen")),
        outcome.best("compiled"), outcome.best("frozen"), *(outcome.best(name) for name in others),
    )  # fmt: skip
    share = 100 * work / 1e9 / ours * outcome.seconds["peak"]
    return [ours * 1e3, share, theirs and theirs * 1e3, way and way.replace("torch ", ""), ratio(theirs, ours),
            *(ratio(seconds, ours) for _, seconds in ways)]  # fmt: skip


def held_to_avx2(plan):
    """Training steps at the usual batch, both sides kept to AVX2: PyTorch by its own variables."""
    table = Table(f"Training steps held to AVX2, {plan.threads} threads", ("network", "batch", "ms", "PyTorch ms", "its way",
                  "speed / PyTorch's", "quiet rounds"), keys=2)  # fmt: skip
    arena = plan.arena("avx2")
    for name, batch in plan.menu.usual:
        given = arrays(name, batch)
        outcome = arena.contest("training", given, threads=plan.threads, isa="avx2", net=name,
                                what=f"{name} at batch {batch}, AVX2", tolerance=tolerance("training", given), peak=True)  # fmt: skip
        ours, (way, theirs) = outcome.seconds.get("engine"), outcome.best("torch")
        table.rows.append((name, batch, ours and ours * 1e3, theirs and theirs * 1e3, way and way.replace("torch ", ""),
                           ratio(theirs, ours), outcome.quiet))  # fmt: skip
    table.notes.append(
        "PyTorch ran under ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2."
    )
    return table


def threads(plan):
    """Training steps at the usual batch on one thread and on all."""
    table = Table(f"Training steps on 1 and {plan.threads} threads", ("network", "batch", "ms on 1", f"ms on {plan.threads}",
                  "gain", "PyTorch's gain", "quiet rounds"), keys=2)  # fmt: skip
    arena = plan.arena()
    sides = arena.named("engine", "kept torch channels_last")
    for name, batch in plan.menu.usual:
        given = arrays(name, batch)
        one, all_ = (
            arena.contest("training", given, threads=t, net=name, sides=sides, tolerance=tolerance("training", given), peak=True,
                          what=f"{name} at batch {batch} on {t} threads")
            for t in (1, plan.threads)
        )  # fmt: skip
        ours, theirs = ([outcome.seconds.get(side) for outcome in (one, all_)] for side in (
            "engine", "kept torch channels_last"))  # fmt: skip
        table.rows.append((name, batch, *(s and s * 1e3 for s in ours), ratio(*ours), ratio(*theirs),
                           f"{one.quiet}, {all_.quiet}"))  # fmt: skip
    return table
