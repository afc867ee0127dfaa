"""`python -m engine train`: a network, a data set, and a folder with what came out."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

import engine
from engine.cli import recipes, report, trained
from engine.cli.command import Command, CommandError, count, positive_float, positive_int, seed
from engine.cli.fit import Diverged, Epoch, fit
from engine.cli.recipes import LOSSES, OPTIMIZERS, RECIPES, SCHEDULES
from engine.cli.run_folder import RunFolder
from engine.utils.data import DataLoader
from engine.vision.models import MODELS, is_pattern

KEPT = (
    "dataset",
    "model",
    "width",
    "epochs",
    "batch_size",
    "optimizer",
    "lr",
    "loss",
    "seed",
)  # what make a run what it is
SINCE = {"width": 1.0, "loss": "cross-entropy"}  # of these, what runs have that were saved before there was the option
PATTERN = "[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX"
_WITHOUT = "; where the network has no batch norm, adam 0.001 takes the place of sgd"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`; what is not given comes from the data set's recipe."""
    add = parser.add_argument
    add("dataset", nargs="?", choices=RECIPES, help="digits comes with the package, the others are read from --root")
    recipes.add_root(parser)
    add("--model", metavar="NAME", help=f"{', '.join(MODELS)}, or a pattern such as '{PATTERN}' {_default('model')}")
    add("--width", type=positive_float, metavar="X", help="multiplies the channels of every layer (default: 1)")
    add("--epochs", type=positive_int, metavar="N", help=_default("epochs"))
    add("--batch-size", type=positive_int, metavar="N", help=_default("batch_size"))
    add("--lr", type=positive_float, metavar="X", help=f"highest rate of the schedule {_default('lr')}{_WITHOUT}")
    add("--optimizer", choices=OPTIMIZERS, help=_default("optimizer") + _WITHOUT)
    add("--loss", choices=LOSSES, help="(default: cross-entropy, for lenet5_1998 discriminative)")
    add("--seed", type=seed, metavar="N", help="for weights, shuffling, augmentation and dropout (default: 0)")
    add("--threads", type=positive_int, metavar="N", help="(default: the CPUs this process may use)")
    add("--workers", type=count, default=0, metavar="N", help="threads that prepare batches ahead (default: 0)")
    add("--device", default="cpu", metavar="NAME", help="where to compute (default: cpu)")
    add("--no-report", action="store_true", help="leave out report.html, the page about the run")
    add("--out", metavar="DIR", help="folder for model, curve and log (default: runs/<dataset>-<model>)")
    add("--resume", metavar="DIR", help="go on with the run in this folder, from its last whole epoch")


def _default(field: str) -> str:
    values = {name: getattr(recipe, field) for name, recipe in RECIPES.items()}
    if len(set(values.values())) == 1:
        return f"(default: {values['digits']})"
    return "(default: " + ", ".join(f"{value} for {name}" for name, value in values.items()) + ")"


def run(options: argparse.Namespace) -> int:
    """Train, save, and say where everything lies."""
    before = _resumed(options) if options.resume else {}
    if options.dataset is None:
        raise CommandError(f"name a data set, one of {', '.join(RECIPES)}")
    recipe = RECIPES[options.dataset]
    options.model, options.width = options.model or recipe.model, options.width or 1.0
    for name, value in recipes.defaults(options.model, recipe, options.width).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.seed = options.seed or 0
    _set_threads(options.threads)
    engine.manual_seed(options.seed)
    parts = _Parts(options, recipe)
    done = parts.restore(before["path"]) if before else 0
    folder = (
        RunFolder(options.resume, tuple(Epoch(**e) for e in before["epochs"]))
        if before
        else RunFolder.claim(options.out or os.path.join("runs", f"{options.dataset}-{_short(options.model)}"))
    )
    with folder:
        folder.say(parts.headline() if not before else f"resumed after epoch {done} of {options.epochs}")
        return _train(folder, parts, options, done)


class _Parts:
    """What a run is made of."""

    def __init__(self, options, recipe):
        self.options = options
        self.model = _place(recipes.build(options.model, recipe, options.width), options.device)
        self.train_set = recipes.load(options.dataset, options.root, True, options.download)
        self.test_set = recipes.load(options.dataset, options.root, False, options.download)
        self.draws = engine.Generator().manual_seed(options.seed)
        self.loader = DataLoader(
            self.train_set, options.batch_size, shuffle=True, generator=self.draws, num_workers=options.workers
        )
        self.test_loader = DataLoader(self.test_set, batch_size=1000)
        self.optimizer = OPTIMIZERS[options.optimizer](self.model.parameters(), options.lr, recipe.weight_decay)
        self.schedule = SCHEDULES[recipe.schedule](self.optimizer, options.epochs * len(self.loader))
        self.criterion = LOSSES[options.loss](recipe.label_smoothing)

    def checkpoint(self, folder: RunFolder) -> None:
        """Save everything that `--resume` needs, after the last epoch of the folder."""
        engine.save_checkpoint(
            folder.checkpoint, self.model, self.optimizer, self.schedule, epoch=folder.epochs[-1].number,
            draws=self.draws.get_state(), epochs=[asdict(e) for e in folder.epochs],
            options={name: getattr(self.options, name) for name in KEPT},
        )  # fmt: skip

    def restore(self, path: str) -> int:
        """The state of a checkpoint; the number of epochs it was saved after."""
        saved = engine.load_checkpoint(path, self.model, self.optimizer, self.schedule)
        self.draws.set_state(saved["draws"])
        return saved["epoch"]

    def headline(self) -> str:
        o = self.options
        width = "" if o.width == 1 else f" of width {o.width:g}"
        loss = "" if o.loss == "cross-entropy" else f"{o.loss} loss, "
        return (
            f"{o.model}{width} on {o.dataset}: {len(self.train_set)} training and {len(self.test_set)} test images; "
            f"{o.epochs} epochs, batch size {o.batch_size}, {o.optimizer} lr {o.lr:g}, "
            f"{loss}seed {o.seed}, threads {engine.get_num_threads()}, device {o.device}"
        )


def _resumed(options: argparse.Namespace) -> dict:
    """What the checkpoint of `--resume` holds beside states; sets the options of that run."""
    path = os.path.join(options.resume, "checkpoint.safetensors")
    given = [name for name in KEPT if getattr(options, name) is not None]
    if given or options.out:
        raise CommandError(f"--resume goes on with the run's own options; leave out {', '.join(given or ['--out'])}")
    try:
        saved = engine.load_checkpoint(path)
    except FileNotFoundError as error:
        raise CommandError(f"--resume: {options.resume} holds no checkpoint of a whole epoch") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(f"--resume: {error}") from error
    kept = saved.get("options")
    if not isinstance(kept, dict) or not set(KEPT) <= {*kept, *SINCE}:
        raise CommandError(f"--resume: {path} was not written by `train`")
    for name in KEPT:
        setattr(options, name, {**SINCE, **kept}[name])
    return {"path": path, "epochs": saved["epochs"]}


def _train(folder: RunFolder, parts: _Parts, options: argparse.Namespace, done: int) -> int:
    """Fit epoch by epoch, saving after each; the exit code."""

    def save():
        trained.save(parts.model, folder.model, options.model, options.dataset, options.width)

    code = 0
    try:
        steps = fit(
            parts.model,
            parts.loader,
            parts.test_loader,
            parts.criterion,
            parts.optimizer,
            parts.schedule,
            options,
            done,
        )
        for epoch in steps:
            folder.say(epoch.line(options.epochs))
            folder.add_epoch(epoch)
            save()
            parts.checkpoint(folder)
    except KeyboardInterrupt:
        on = f"; go on with --resume {folder.path}" if os.path.exists(folder.checkpoint) else " (less than an epoch)"
        folder.say(f"interrupted; what was learned so far is kept{on}")
        save()
        code = 130
    except Diverged as error:
        raise CommandError(f"{error}; try a smaller --lr than {options.lr:g}", code=1) from error
    folder.draw_curve()
    if folder.epochs and not options.no_report:
        _report(folder, parts, options)
    folder.say(folder.summary(_next_step(options)))
    return code


def _report(folder: RunFolder, parts: _Parts, options: argparse.Namespace) -> None:
    """Write the page, or say in a line why not."""
    try:
        parts.model.to("cpu").eval()
        folder.say(f"report: {report.write(folder.path, parts.model, options.dataset, parts.test_set)}")
    except (ImportError, OSError, ValueError) as error:  # what was learnt is saved
        folder.say(f"note: no report.html: {error}")


def _set_threads(threads: int | None) -> None:
    try:
        if threads is not None:
            engine.set_num_threads(threads)
    except ValueError as error:
        raise CommandError(f"--threads: {error}") from error


def _place(model, device: str):
    try:
        return model.to(engine.device(device))
    except RuntimeError as error:
        raise CommandError(f"--device: {error}") from error


def _short(model: str) -> str:
    """What a folder is named by."""
    return "pattern" if is_pattern(model) else model


def _next_step(options: argparse.Namespace) -> str:
    if options.dataset == "digits":
        return "python -m engine train mnist --root <folder with the MNIST files>"
    pairs = {"lenet5": "mnistnet", "mnistnet": "lenet5", "resnet9": "resnet20"}
    other = pairs.get(options.model, RECIPES[options.dataset].model)
    root = f" --root {options.root}" if options.root else ""
    return f"python -m engine train {options.dataset}{root} --model {other}"


COMMAND = Command(
    name="train",
    help="train a network on digits, MNIST, Fashion-MNIST, KMNIST, CIFAR-10 or CIFAR-100",
    example="train digits",
    add_arguments=add_arguments,
    run=run,
)
