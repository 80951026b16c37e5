"""What the kernel says of memory, and what follows."""

import resource

import pytest
import torch
from torch import nn

from echotrain.models.networks.network import Block, Network
from echotrain.models.runtimes import memory

CPU = torch.device("cpu")
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel that offers 8 GiB, to a process that holds 1 GiB, in a control group without a limit."""
    (tmp_path / "meminfo").write_text("MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
    (tmp_path / "status").write_text("Name: echotrain\nVmData: 1048576 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.stat").write_text(f"anon {2**30}\nfile {2**31}\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _: UNLIMITED)
    return tmp_path


@pytest.mark.usefixtures("kernel")
def test_what_is_free_is_what_the_machine_has_where_nothing_else_limits():
    assert memory.free_bytes(CPU) == 8 * 2**30


@pytest.mark.usefixtures("kernel")
def test_a_limit_of_the_process_counts_what_it_holds(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (3 * 2**30, resource.RLIM_INFINITY))
    assert memory.free_bytes(CPU) == 2 * 2**30


def test_a_control_group_limits_what_cannot_be_given_back(kernel):
    (kernel / "memory.max").write_text(f"{4 * 2**30}\n")
    assert memory.free_bytes(CPU) == 3 * 2**30


class Two(Network):
    """A block of two convolutions, of 3 and 5 channels, at half the width and height."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(2, 3, 2, stride=2), nn.Conv2d(3, 5, 1))

    def forward(self, measurements):
        raise NotImplementedError

    def blocks(self):
        return (Block("block", (2,), 2),)


def test_every_output_of_every_layer_is_counted():
    assert memory.bytes_per_pixel(Two()) == pytest.approx((3 + 5) * 4 / 4)
