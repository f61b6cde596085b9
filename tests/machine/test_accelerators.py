"""Accelerators other than CUDA are listed everywhere, and refused with the reason where they are not there."""

import platform
import sys

import pytest

from suite.machine import accelerators
from suite.matrix.refusals import refusal
from suite.records import Case
from suite.registry import EXECUTIONS, load_levels

load_levels()

BUILT_FOR_XPU = "cuda: Optional[str] = None\nxpu: Optional[str] = '20250302'\n"
NOT_BUILT = "cuda: Optional[str] = '13.0'\nxpu: Optional[str] = None\n"


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac may have one")
def test_metal_is_refused_on_other_systems_than_macos():
    assert refusal(Case("seed_cnn", "sgd", "mps")) == (
        f"mps needs a Metal device, and this machine runs {platform.system()}, not macOS"
    )


@pytest.mark.parametrize(
    ("processor", "reason"), [("arm64", ""), ("x86_64", "this machine has an x86_64 processor, not Apple's")]
)
def test_metal_needs_a_processor_of_apple(monkeypatch, processor, reason):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: processor)
    assert accelerators.why_not_mps() == reason


@pytest.mark.parametrize(
    ("version_file", "vendors", "mask", "reason"),
    [
        (NOT_BUILT, ["0x8086"], None, "the installed torch was not built for XPU"),
        ("", ["0x8086"], None, "the installed torch was not built for XPU"),
        (BUILT_FOR_XPU, [], None, "this machine has no Intel GPU that its kernel knows"),
        (BUILT_FOR_XPU, ["0x10de"], None, "this machine has no Intel GPU that its kernel knows"),
        (BUILT_FOR_XPU, ["0x10de", "0x8086"], None, ""),
        (BUILT_FOR_XPU, ["0x8086"], "0", ""),
        (BUILT_FOR_XPU, ["0x8086"], "", "ZE_AFFINITY_MASK='' hides the devices that this machine has"),
    ],
)
def test_an_intel_gpu_needs_a_torch_and_a_kernel_that_know_it(
    monkeypatch, tmp_path, version_file, vendors, mask, reason
):
    for number, vendor in enumerate(vendors):
        folder = tmp_path / f"renderD{128 + number}" / "device"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
    monkeypatch.setattr(accelerators, "RENDER_NODES", tmp_path)
    monkeypatch.setattr(accelerators, "torch_version_file", lambda: version_file)
    monkeypatch.delenv("ZE_AFFINITY_MASK", raising=False)
    if mask is not None:
        monkeypatch.setenv("ZE_AFFINITY_MASK", mask)
    assert accelerators.why_not_xpu() == reason
    assert refusal(Case("seed_cnn", "sgd", "xpu")) == (f"xpu needs an Intel GPU, and {reason}" if reason else "")


@pytest.mark.parametrize("name", ["mps", "xpu"])
def test_an_accelerator_is_a_level_of_one_file(name):
    strategy = EXECUTIONS[name].strategy
    assert strategy.device_type() == name == EXECUTIONS[name].attributes["device"]
    assert strategy.__module__ == f"suite.levels.executions.{name}"
