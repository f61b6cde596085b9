"""CUDA devices are counted as torch would count them, without importing it."""

import pynvml
import pytest
import torch

from suite.machine import cuda


@pytest.fixture
def driver(monkeypatch):
    """A driver that knows three devices, and a torch that can use them."""
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 3)
    monkeypatch.setattr(cuda, "built_for_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cuda.cuda_devices.cache_clear()
    yield monkeypatch
    cuda.cuda_devices.cache_clear()


def test_torchs_own_files_say_what_it_was_built_for():
    assert cuda.built_for_cuda() is (torch.version.cuda is not None)


def test_as_many_devices_are_found_as_torch_finds():
    cuda.cuda_devices.cache_clear()
    assert cuda.cuda_devices() == torch.cuda.device_count()


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        *(("", 0), ("0", 1), ("2,0", 2), ("0,7,1", 1), ("-1", 0), (" 1 , 2 ", 2), ("0,,1", 1), (",1", 0), ("gpu", 0)),
        *(("1,1", 0), ("1gpu2,2", 2), ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", 1)),
    ],
)
def test_hidden_devices_do_not_count(driver, visible, count):
    driver.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cuda.cuda_devices() == count


def test_all_devices_count_where_none_is_hidden(driver):
    assert cuda.cuda_devices() == 3


def test_devices_that_torch_was_not_built_for_do_not_count(driver):
    driver.setattr(cuda, "built_for_cuda", lambda: False)
    assert cuda.cuda_devices() == 0
