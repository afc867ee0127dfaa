"""The comparison with PyTorch: every public name has calls, and no difference is without a reason. A few calls of each here;
`python tests/compare_torch.py` makes as many as are wanted.
"""

import pytest

pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")

import compare_torch
from comparison import known
from comparison.call import Call
from comparison.draw import Array, Draw
from comparison.registry import GENERATORS
from comparison.surfaces import Target, targets

import engine


def test_nothing_differs_without_a_reason():
    report = compare_torch.compare(seed=0, cases=10)
    assert not report.uncovered, "public names that nothing compares: " + ", ".join(report.uncovered)
    assert not report.missing, "promised names that are missing: " + ", ".join(report.missing)
    assert not report.unexplained, "\n" + "\n".join(map(str, report.unexplained))
    assert len(report.counts) > 900 and sum(c["equal"] for c in report.counts.values()) > 6000


def test_the_report_says_what_there_is():
    text = compare_torch.markdown(compare_torch.compare(cases=3, only="Tensor.add"), 0, 3)
    assert "Differences that nothing explains: 0." in text and "with equal results" in text


def test_what_is_wrong_is_found(monkeypatch):
    for name, wrong in (
        ("exp", lambda self: self.expm1()), ("sum", lambda self, *a, **k: engine.sum(self, *a, **k) * 2), ("abs", lambda self: self.detach().abs()),
        ("neg", lambda self: -self.double()), ("sqrt", lambda self: 1 / 0), ("floor", lambda self: (self.floor_divide(1),)),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(engine.Tensor, name, wrong)
            assert compare_torch.compare(cases=20, only=f"Tensor.{name}").unexplained, name


def test_a_new_name_is_uncovered(monkeypatch):
    monkeypatch.setattr(engine.Tensor, "brand_new", lambda self: self, raising=False)
    assert compare_torch.compare(cases=1, only="Tensor.brand_new").uncovered == ["Tensor.brand_new"]


def test_the_same_seed_draws_the_same_calls():
    target = Target("Tensor", "add")
    texts = [repr(GENERATORS["add"](Draw(5, i), target.name)) for i in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert isinstance(GENERATORS["exp"](Draw(1), "exp").named["input"], Array)


def test_every_generator_is_of_a_name_and_every_reason_explains_something_narrow():
    names = {t.name for t in targets(engine)} | {t.name.removesuffix("_") for t in targets(engine)}
    assert not [key for key in GENERATORS if key.rpartition(".")[2] not in names]
    for k in known.KNOWN:
        assert k.reason and (k.target or k.ours or k.theirs or k.call), k
    assert Call({}).given(Draw(0)) == ((), {})
