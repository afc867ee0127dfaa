"""from_pattern: networks written as in the lecture, and what it says where they cannot be read."""

import argparse
import os
import subprocess
import sys

import numpy as np
import pytest
from test_cli import cli, environment, rejected  # noqa: F401  (cli is a fixture)

import engine
from engine import nn
from engine.cli import train
from engine.vision import models
from engine.vision.models.pattern_parser import MOST

LECTURE = "[(CONV-RELU)*N-POOL?]*M-(FC-RELU)*K,SOFTMAX"


def described(pattern, *args, **counts):
    """The layers of the network: (name, class), ..."""
    with engine.use_backend("shape"):
        return models.from_pattern(pattern, *args, **counts)


def layers(net):
    return " ".join(f"{name}" for name, _ in net.named_children())


def test_the_lectures_pattern():
    net = described(LECTURE, N=2, M=3, K=1)
    assert layers(net) == (
        "conv1_1 conv1_1_relu conv1_2 conv1_2_relu pool1 conv2_1 conv2_1_relu conv2_2 conv2_2_relu pool2 "
        "conv3_1 conv3_1_relu conv3_2 conv3_2_relu pool3 flatten fc1 fc1_relu scores"
    )
    assert [m.out_channels for m in net if isinstance(m, nn.Conv2d)] == [32, 32, 64, 64, 128, 128]
    assert net.fc1.in_features == 128 * 4 * 4 and net.scores.out_features == 10
    spelled = described("[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX")
    assert {n: t.shape for n, t in spelled.state_dict().items()} == {n: t.shape for n, t in net.state_dict().items()}


def test_brackets_blanks_and_case_do_not_matter():
    forms = "[(CONV-RELU)*2-POOL]*1-FC,SOFTMAX", " ( [conv - relu ] * 2 - Pool )*1\n-\tfc , softmax ", "CONV-RELU-CONV-RELU-POOL-FC,SOFTMAX"  # fmt: skip
    assert len({repr(described(form)) for form in forms}) == 1


def test_in_shape_classes_and_width():
    net = models.from_pattern("CONV-RELU-POOL-CONV-FC-RELU-FC100,SOFTMAX", (1, 28, 20), 7, 0.5)
    assert [tuple(p.shape) for n, p in net.named_parameters() if "weight" in n] == [
        (16, 1, 3, 3), (32, 16, 3, 3), (128, 32 * 14 * 10), (100, 128), (7, 100),
    ]  # fmt: skip
    assert net(engine.randn(2, 1, 28, 20)).shape == (2, 7)


def test_sizes_and_strides():
    net = described("CONV5/2-RELU-CONV1-POOL3/2-CONV7,SOFTMAX")
    got = [(m.kernel_size, m.stride, m.padding) for m in net if isinstance(m, nn.Conv2d)][:3]
    assert got == [((5, 5), (2, 2), (2, 2)), ((1, 1), (1, 1), (0, 0)), ((7, 7), (1, 1), (3, 3))]
    assert (net.pool2.kernel_size, net.pool2.stride) == (3, 2)
    maps = {layer.path: layer.output[1:] for layer in engine.summary(net, (3, 32, 32)).layers}
    assert maps["conv2_1"] == (64, 16, 16) and maps["pool2"] == (64, 7, 7) and maps["conv3_1"] == (128, 7, 7)


def test_channels_stop_growing():
    net = described("[CONV/2]*7-RELU,SOFTMAX", (3, 256, 256))
    assert [m.out_channels for m in net if isinstance(m, nn.Conv2d)] == [64, 128, 256, 512, 512, 512, 512, 10]


def test_convolutions_alone():
    net = models.from_pattern("[CONV-RELU-CONV/2-RELU]*3,SOFTMAX", width=0.25)
    assert not any(isinstance(m, (nn.Linear, nn.MaxPool2d)) for m in net)
    assert layers(net).endswith("conv4_1_relu scores mean flatten")
    assert net(engine.randn(2, 3, 32, 32)).shape == net(engine.randn(2, 3, 40, 48)).shape == (2, 10)


def test_no_hidden_layer():
    for pattern in ("SOFTMAX", "(FC-RELU)*0,SOFTMAX"):
        net = described(pattern)
        assert layers(net) == "flatten scores" and net.scores.in_features == 3072
    assert layers(described("POOL?-(CONV-RELU)*1-(FC-RELU)*0,SOFTMAX")).endswith("flatten scores")


def test_optional_poolings_stop_where_little_is_left():
    assert layers(described("[CONV-RELU-POOL?]*9,SOFTMAX")).count("pool") == 3  # 32, 16, 8, 4
    assert layers(described("[CONV-RELU-POOL?]*9,SOFTMAX", (3, 64, 9))).count("pool") == 1


def test_a_pattern_learns():
    engine.manual_seed(0)
    net = models.from_pattern("[(CONV-RELU)*2-POOL]*2-(FC-RELU)*1,SOFTMAX", width=0.25)
    x, y = engine.randn(8, 3, 32, 32), engine.tensor([0, 1, 2, 3] * 2)
    optimizer = engine.optim.Adam(net.parameters(), lr=0.003)
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0], losses


REFUSED = [  # pattern, where the caret stands (the pattern's first occurrence of this), what is said
    ("[(CONV-RELU)*2-PO]*3,SOFTMAX", "PO]", "unknown layer PO; there are CONV, RELU, POOL, FC"),
    ("[(CONV-RELU)*2-POOL)*3,SOFTMAX", ")*3", 'expected "-" or "]" for the "[" of character 1'),
    ("[CONV-RELU,SOFTMAX", ",", 'expected "-" or "]"'),
    ("CONV-RELU", None, 'expected a "-" and another layer, or ",SOFTMAX"'),
    ("CONV-,SOFTMAX", ",", "expected a layer"),
    ("CONV RELU,SOFTMAX", "RELU", 'expected a "-" and another layer'),
    ("CONV,RELU", "RELU", "expected SOFTMAX"),
    ("CONV-SOFTMAX", "SOFTMAX", "SOFTMAX stands at the end"),
    ("CONV,SOFTMAX-FC", "-FC", "expected nothing behind SOFTMAX"),
    ("", None, "expected a layer"),
    ("(CONV)*,SOFTMAX", ",", "expected a number, or a letter such as N"),
    ("(CONV)*N,SOFTMAX", "N,", "N has no value: write a number for it, or from_pattern(..., N=2)"),
    ("(CONV)*-1,SOFTMAX", "-1", "expected a number"),
    (f"(CONV)*{MOST + 1},SOFTMAX", str(MOST + 1), f"more than {MOST} layers"),
    ("((CONV)*999)*99999999999999999999,SOFTMAX", "99999999999999999999", f"more than {MOST} layers"),
    ("(" * 30 + "CONV", "((((((((((CONV", "brackets more than 20 deep"),
    ("CONV4,SOFTMAX", "CONV4", "filters of even size"),
    ("CONV0,SOFTMAX", "0", "expected a number from 1 to"),
    ("CONV3/,SOFTMAX", ",", 'expected the stride behind "/"'),
    ("RELU3,SOFTMAX", "3", "no number may stand here"),
    ("FC/2,SOFTMAX", "/", "FC has no stride"),
    ("CONV?,SOFTMAX", "?", "only POOL may be left open"),
    ("FC-CONV,SOFTMAX", "CONV", "CONV behind FC, which leaves no maps"),
    ("[CONV-POOL]*6,SOFTMAX", "POOL", "POOL of 2x2, but the maps are 1x1 here"),
    ("CONV-$,SOFTMAX", "$", "expected a layer"),
]


@pytest.mark.parametrize("pattern, where, message", REFUSED, ids=[r[0][:40] for r in REFUSED])
def test_what_cannot_be_read_is_shown(pattern, where, message):
    with pytest.raises(models.PatternError) as raised:
        described(pattern)
    assert message in str(raised.value)
    position = len(pattern) if where is None else pattern.index(where)
    first, shown, caret = str(raised.value).split("\n")
    assert "\n" not in first and shown == "  " + pattern
    assert caret == "  " + " " * position + "^" and raised.value.position == position


def test_wrong_arguments():
    with pytest.raises(ValueError, match="in_shape must be the channels, height and width"):
        models.from_pattern("SOFTMAX", (32, 32))
    for counts in ({"N": -1}, {"N": 1.5}, {"NN": 1}):
        with pytest.raises(ValueError, match="a letter of the pattern stands for a number from 0 on"):
            models.from_pattern("SOFTMAX", **counts)
    with pytest.raises(ValueError, match="width multiplies the channels"):
        models.from_pattern("CONV,SOFTMAX", width=0)


# ---- on the command line

SMALL = "[(CONV-RELU)*1-POOL]*2-(FC-RELU)*1,SOFTMAX"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("pattern")
    arguments = ["train", "digits", "--model", SMALL, "--width", "0.25", "--epochs", "2"]
    subprocess.run([sys.executable, "-m", "engine", *arguments], cwd=folder, env=environment(), check=True, timeout=300)
    return folder / "runs" / "digits-pattern"


def test_the_run_folder_remembers_pattern_and_width(cli, run):  # noqa: F811
    assert (run / "log.txt").read_text().startswith(f"{SMALL} of width 0.25 on digits: 1438 training")
    result = cli("eval", "--weights", run / "model.safetensors")
    assert result.returncode == 0 and "of 359 test images of digits right" in result.stdout
    result = cli("train", "--resume", run)
    assert result.returncode == 0 and "resumed after epoch 2 of 2" in result.stdout
    assert "leave out width" in rejected(cli("train", "--resume", run, "--width", "2"))


def test_runs_saved_before_there_was_a_width_go_on(tmp_path):
    options = {name: 1 for name in train.KEPT if name != "width"}
    engine.save_checkpoint(tmp_path / "checkpoint.safetensors", epoch=1, epochs=[], options=options)
    given = argparse.Namespace(resume=str(tmp_path), out=None, **dict.fromkeys(train.KEPT))
    train._resumed(given)
    assert given.width == 1.0 and given.seed == 1


def test_a_pattern_that_is_no_pattern_begins_nothing(cli, tmp_path):  # noqa: F811
    pattern = "[(CONV-RELU)*2-POOL*3,SOFTMAX"
    error = rejected(cli("train", "digits", "--model", pattern))
    assert error.split("\n")[1:] == ["  " + pattern, "  " + " " * pattern.index(",") + "^"]
    assert error.startswith("error: argument --model: expected ") and not os.listdir(tmp_path)


def test_weights_of_another_network_than_named(cli, tmp_path):  # noqa: F811
    path = tmp_path / "model.safetensors"
    huge = "FC100000-FC100000,SOFTMAX"  # 40 GB: refused before they are taken
    engine.save({"a": engine.ones(1)}, path, metadata={"model": huge, "dataset": "digits"})
    assert f"not the weights of the network that it names, {huge}" in rejected(cli("eval", "--weights", path))
    engine.save({"a": engine.ones(1)}, path, metadata={"model": "SOFTMAX", "dataset": "digits", "width": "wide"})
    assert "could not convert string to float: 'wide'" in rejected(cli("eval", "--weights", path))


def test_summary_of_a_pattern(cli):  # noqa: F811
    result = cli("summary", SMALL, "--input", "1,28,28", "--classes", 7, "--width", 0.5)
    assert result.returncode == 0 and "conv2_1" in result.stdout and "1x7" in result.stdout
    assert "unknown layer" in rejected(cli("summary", "CONF,SOFTMAX"))
    assert "lenet5 has no width" in rejected(cli("summary", "lenet5", "--width", "2"))
    assert "invalid choice: 'lenet6'" in rejected(cli("summary", "lenet6"))


@pytest.mark.parametrize(
    "name, optimizer", [("resnet9", "sgd"), ("vgg11", "adam"), ("vgg11_bn", "sgd"), (SMALL, "adam")]
)
def test_networks_without_batch_norm_are_trained_by_adam(name, optimizer):
    from engine.cli.recipes import RECIPES, defaults

    assert defaults(name, RECIPES["cifar10"])["optimizer"] == optimizer
    assert np.isclose(defaults("lenet5", RECIPES["mnist"])["lr"], 0.002)


def test_what_is_no_pattern():
    with pytest.raises(TypeError, match="a pattern is a str such as .*, got NoneType"):
        models.from_pattern(None)
    with pytest.raises(ValueError, match=r"there is no letter N behind a \* in the pattern 'SOFTMAX'"):
        models.from_pattern("SOFTMAX", N=2)
    with pytest.raises(ValueError, match="invalid choice: 'VGG16' .did you mean 'vgg16'?"):
        models.create("VGG16")
