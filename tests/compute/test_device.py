from __future__ import annotations

import pytest
import torch

from biovita.compute.device import Device, batch_size_for, choose_device, select_device
from biovita.errors import ModelError


@pytest.fixture
def gpu(monkeypatch):
    """A machine with a GPU, as torch would describe it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A Card")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (8 << 30, 16 << 30))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))


def test_auto_takes_the_gpu_and_says_why(gpu):
    device = choose_device("auto")
    assert device == Device("cuda", "A Card, 8.0 GiB free, the first CUDA device", half=True, memory_bytes=8 << 30)
    assert str(device) == "cuda (A Card, 8.0 GiB free, the first CUDA device), float16"
    assert choose_device("cuda:1").kind == "cuda"
    assert choose_device("cuda:1").why == "A Card, 8.0 GiB free"
    assert choose_device("cpu") == Device("cpu", "as asked")


def test_old_cards_compute_in_full_precision(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    assert not choose_device("cuda").half


def test_auto_without_a_gpu_says_why(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    device = choose_device()
    assert device.name == "cpu"
    assert "no CUDA device is visible" in device.why or "built for the CPU only" in device.why
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device().why == "Apple's GPU; there is no CUDA device"


def test_no_such_device_is_told(gpu):
    with pytest.raises(ModelError, match="no device 'cuda:5'"):
        choose_device("cuda:5")


@pytest.mark.parametrize(
    ("free_gib", "half", "wanted"), [(8, False, 32), (8, True, 64), (0.01, False, 1), (500, True, 256)]
)
def test_batches_fill_half_of_the_free_memory(free_gib, half, wanted):
    device = Device("cuda", "", half=half, memory_bytes=int(free_gib * 2**30))
    assert batch_size_for(device, 100 << 20, on_cpu=8) == wanted
    assert batch_size_for(Device("cpu", ""), 100 << 20, on_cpu=8) == 8


def test_devices_are_accepted_or_told_apart():
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert select_device("auto") == best
    assert select_device("cpu") == "cpu"
    with pytest.raises(ModelError, match=r"'gpu' is unknown\. Use one of auto, cpu"):
        select_device("gpu")
    with pytest.raises(ModelError, match="'meta' is not supported"):
        select_device("meta")
    with pytest.raises(ModelError, match="no device 'cuda:99'"):
        select_device("cuda:99")
