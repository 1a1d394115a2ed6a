"""How the C library treats memory that a training step frees."""

import ctypes
import platform

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have this process keep freed memory for its next allocation.

    A training step on a CPU allocates and frees hundreds of megabytes of activations.
    By default glibc returns every such block to the kernel, which hands it out again
    page by page, zeroed, which can cost as much as the computation. This changes the
    whole process, hence a program calls it, once, and no function of this package
    does. Results do not change; the process's memory
    stays at its peak.

    Returns:
        Whether it took effect; not without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    no_separate_blocks = libc.mallopt(_M_MMAP_MAX, 0)
    no_trimming = libc.mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)
    return bool(no_separate_blocks and no_trimming)
