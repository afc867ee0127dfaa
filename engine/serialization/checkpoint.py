"""Checkpoints: everything that a training run needs to go on as if it had never stopped, in one file and one call."""

from __future__ import annotations

import copy

from engine.generator import default_generator
from engine.serialization.elements import FileFormatError
from engine.serialization.files import load, save

_FORMAT = "engine.checkpoint 1"
_PARTS = ("model", "optimizer", "scheduler")


def save_checkpoint(path, model=None, optimizer=None, scheduler=None, generator=None, epoch=None, **extra) -> None:
    """Write the states of what is given, of a random generator and `extra` data to one file, all or nothing.

    generator: default the engine's own, from which dropout, initialisation and shuffling draw. `extra`: any data that
    `engine.save` takes. Whatever happens while writing, the file holds the old checkpoint or the new one.
    """
    given = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    states = {name: x.state_dict() for name, x in given.items() if x is not None}
    random = (generator or default_generator).get_state()
    save({"format": _FORMAT, "epoch": epoch, **states, "generator": random, "extra": extra}, path)


def load_checkpoint(path, model=None, optimizer=None, scheduler=None, generator=None) -> dict:
    """Bring what is given back to the state in a checkpoint; returns a dict of "epoch" and the extra data.

    generator: default the engine's own. All or nothing: on any error everything is as it was before. Raises
    FileFormatError when the file is no checkpoint or lacks the state of something given, and what `load_state_dict`
    raises when a state does not fit.
    """
    saved = load(path)
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise FileFormatError(f"{path}: not a checkpoint of save_checkpoint(); engine.load reads what it holds")
    for part, kind in (("epoch", object), ("extra", dict), ("generator", object)):
        if part not in saved or not isinstance(saved[part], kind):
            raise FileFormatError(f"{path}: the checkpoint lacks its {part}")
    given = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    targets = [(name, x) for name, x in given.items() if x is not None]
    lacking = [name for name, _ in targets if name not in saved]
    if lacking:
        there = ", ".join(name for name in _PARTS if name in saved) or "none of these"
        raise FileFormatError(f"{path}: the checkpoint holds no state of the {', '.join(lacking)}, but of: {there}")
    generator = generator or default_generator
    before = [(x, copy.deepcopy(x.state_dict())) for _, x in targets]
    random_before = generator.get_state()
    try:
        for name, x in targets:
            x.load_state_dict(saved[name])
        generator.set_state(saved["generator"])
    except BaseException:
        for x, state in before:
            x.load_state_dict(state)
        generator.set_state(random_before)
        raise
    return {"epoch": saved["epoch"], **saved["extra"]}
