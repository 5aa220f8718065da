"""A bound on what a folder of sample files holds: the oldest closed ones go first."""

from __future__ import annotations

import contextlib
import os

from flamespan.profiler.closed import is_closed
from flamespan.profiler.samplefile import SUFFIX


def trim(folder: str, max_bytes: int) -> int:
    """Remove the oldest sample files of ``folder`` until the rest fit; how many went.

    Files that a process is writing stay, however large they are, as does what is no sample file.
    """
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    found.append((facts.st_mtime, facts.st_size, entry.path))
    over = sum(size for _, size, _ in found) - max_bytes
    removed = 0
    for modified, size, path in sorted(found):
        if over <= 0:
            break
        if is_closed(path, modified):
            with contextlib.suppress(OSError):
                os.unlink(path)
                over -= size
                removed += 1
    return removed
