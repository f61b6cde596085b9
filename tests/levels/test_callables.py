"""Networks by a user's callable: which fit, and the sentence about each that does not."""

import re
import sys

import pytest
import torch
from torch import nn

from suite.levels import callables
from suite.records import StepmarkError
from suite.registry import STRUCTURES, load_levels

load_levels()
FILE = """
from torch import nn

RATE = 3

class Net(nn.Sequential):
    def __init__(self, num_classes, image_size, depth=1):
        super().__init__(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))

class Nets:
    @staticmethod
    def small(image_size):
        return Net(10, image_size)

network = Net(10, 8)

def needs_depth(num_classes, depth, *, width):
    return Net(num_classes, 8)

def positional(num_classes, image_size, /):
    return Net(num_classes, image_size)
"""


@pytest.fixture
def net(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(FILE)
    return file


def refused(text: str) -> str:
    """The sentence about a callable, of which no level is left."""
    before = list(STRUCTURES)
    with pytest.raises(StepmarkError) as raised:
        callables.add(text)
    assert list(STRUCTURES) == before
    said = str(raised.value)
    assert said.startswith("--structure ")
    assert "\n" not in said
    assert said.endswith((".", "?"))
    return said


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Nett", "there is no 'Nett'; allowed: .*; did you mean Net or Nets\\?"),
        ("Nets.tiny", "there is no 'tiny'; allowed: .*; correct the name"),
        ("RATE", "RATE is of type int; allowed: a callable"),
        ("network", "network is a network; allowed: .*; name its class"),
        ("needs_depth", "needs depth, width; allowed: a callable"),
        ("positional", "needs num_classes, image_size; allowed: .*; give each a default, or wrap"),
    ],
)
def test_a_callable_that_does_not_fit_is_refused_in_one_sentence(net, name, found):
    assert re.search(found, refused(f"mine={net}:{name}"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("raise ValueError('broken here')\n", r"net\.py does not import: ValueError: broken here\."),
        ("import sys\nsys.exit(3)\n", r"net\.py does not import: SystemExit: 3\."),
        ("def make(:\n", r"net\.py does not import: SyntaxError: "),
        ("import not_there_at_all\n", r"does not import: ModuleNotFoundError: No module named 'not_there_at_all'\."),
    ],
)
def test_a_file_that_does_not_import_is_refused_with_the_reason_and_forgotten(net, text, found):
    net.write_text(text)
    assert re.search(found, refused(f"mine={net}:make"))
    net.write_text(FILE)
    with pytest.raises(StepmarkError, match="there is no 'make'"):
        callables.add(f"mine={net}:make")


def test_a_file_or_module_that_does_not_exist_is_refused(tmp_path):
    assert f"there is no file {tmp_path}/gone.py; " in refused(f"mine={tmp_path}/gone.py:make")
    assert "gone.models does not import: ModuleNotFoundError: " in refused("mine=gone.models:Net")


def test_a_name_that_is_taken_is_refused_with_another_one_that_works(net):
    said = refused(f"seed_cnn={net}:Net")
    assert said.endswith(
        f"makes the level 'seed_cnn', which is registered already; give it another name, such as "
        f"--structure my_seed_cnn={net}:Net."
    )


def test_a_file_in_a_package_is_a_module_of_it_wherever_the_package_lies(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = tmp_path / "src" / "nets_of_mine" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package.parent / "sizes.py").write_text("WIDTH = 5\n")
    (package / "net.py").write_text("from ..sizes import WIDTH\n")
    module = callables.from_file(package / "net.py")
    assert (module.__name__, module.WIDTH) == ("nets_of_mine.inner.net", 5)
    assert callables.from_file(package / "net.py") is module


def linear(num_classes: int, image_size: int) -> nn.Module:
    """A plain network."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3 * image_size**2, num_classes))


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (linear, ("num_classes", "image_size")),
        (lambda image_size: linear(10, image_size), ("image_size",)),
        (lambda *, num_classes=3, depth=2: depth and linear(num_classes, 8), ("num_classes",)),
        (lambda **_: linear(10, 8), ()),
        (lambda: linear(10, 8), ()),
    ],
)
def test_a_callable_gets_the_sizes_that_it_takes_by_name_and_makes_what_it_makes_alone(make, sizes):
    """Trying the network moves no weight and no random number."""
    assert callables.sizes_taken(make, "net.py:make") == sizes
    build = callables.builder(make, sizes, "net.py:make")
    given = {"num_classes": 10, "image_size": 8}
    torch.manual_seed(0)
    expected, after = make(**{name: given[name] for name in sizes}), torch.rand(3)
    torch.manual_seed(0)
    network = build(10, 8)
    assert torch.equal(torch.rand(3), after)
    assert network.training
    for one, other in zip(network.parameters(), expected.parameters(), strict=True):
        assert torch.equal(one, other)


class Pair(nn.Module):
    """A network with two outputs."""

    def forward(self, images):
        return images, images


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: 3, "^net.py:make returns int; allowed: a torch.nn.Module$"),
        (Pair, "^the network of net.py:make returns tuple; allowed: a tensor of logits$"),
        (lambda: linear(1000, 8), r"returns logits of shape \(2, 1000\) for 2 images; allowed: \(2, 10\); let net.py"),
        (lambda: nn.Flatten(0), r"returns logits of shape \(384,\)"),
        (lambda: linear(10, 9), "shapes cannot be multiplied"),
    ],
)
def test_a_network_that_does_not_fit_is_an_error_with_what_is_allowed(make, found):
    with pytest.raises((TypeError, ValueError, RuntimeError), match=found):
        callables.builder(make, (), "net.py:make")(10, 8)
