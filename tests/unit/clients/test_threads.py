import subprocess
import sys

import pytest

PROGRAM = """
import os
from echotrain.clients.cli._threads import limit_threads

limit_threads(1)
import numpy as np
import scipy.linalg
import torch

square = np.ones((400, 400))
square @ square
scipy.linalg.eigh(square)
torch.from_numpy(square) @ torch.from_numpy(square)
torch.ones(1 << 20).sin()
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads in /proc")
def test_a_process_limited_to_one_thread_computes_with_one():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["1"]
