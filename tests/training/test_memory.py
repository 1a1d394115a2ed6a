import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys, torch
from cocodesign.training import keep_freed_memory

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 << 20)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

default = faults_of_a_step()
assert keep_freed_memory()
faults_of_a_step()
print(default, faults_of_a_step())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_used_again_without_page_faults():
    answer = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    default, kept = map(int, answer.stdout.split())
    assert default > 1000
    assert kept < default / 10
