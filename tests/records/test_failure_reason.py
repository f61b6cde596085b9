"""The reason of a failure is the line that says why."""

import multiprocessing
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from suite.records.failure_reason import LONGEST_REASON, cause, one_line


class Broken(Dataset):
    """Images that a full disk keeps back."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        raise OSError(28, "No space left on device\nand more lines")


def test_the_reason_of_a_loader_worker_is_its_exception() -> None:
    with pytest.raises(OSError, match="DataLoader worker") as caught:
        list(DataLoader(Broken(), num_workers=1, multiprocessing_context=multiprocessing.get_context("fork")))
    assert one_line(caught.value) == "OSError: [Errno 28] No space left on device"


@pytest.mark.slow
def test_the_reason_is_the_last_of_a_chain_of_tracebacks() -> None:
    program = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('lost')"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr
    assert said.count("Traceback") == 2
    assert one_line(RuntimeError(f"-- Process 1 terminated with the following error:\n{said}")) == "KeyError: 'lost'"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (RuntimeError("backend='inductor' raised:\nAssertionError: no compiler\n  frames"), None),
        (RuntimeError(""), "RuntimeError"),
        (RuntimeError("x" * 10_000), None),
    ],
)
def test_the_reason_is_otherwise_the_first_line_with_the_line_that_it_announces(
    error: Exception, reason: str | None
) -> None:
    found = one_line(error)
    assert len(found) <= LONGEST_REASON
    assert "\n" not in found
    if reason is not None:
        assert found == reason
    elif "raised:" in str(error):
        assert found == "RuntimeError: backend='inductor' raised: AssertionError: no compiler"


@given(st.text(), st.booleans())
def test_any_text_has_a_bounded_line(text: str, quotes: bool) -> None:
    found = cause(f"Traceback (most recent call last):\n{text}" if quotes else text)
    assert len(found) <= LONGEST_REASON
    assert len(found.splitlines()) <= 1
