import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from echotrain.engine.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1 << 20, np.complex64)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
print(keep_freed_memory(), before, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_arrays_of_a_size_seen_before_fault_no_pages():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    told, before, after = result.stdout.split()
    assert told == "True"
    assert int(after) < int(before) / 4
