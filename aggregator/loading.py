"""From files to a Profile: finds the files, tells what each is, has them joined."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence

from flamespan.aggregator import foreign
from flamespan.aggregator.content import Content
from flamespan.aggregator.decode import read_content
from flamespan.aggregator.importing import HEAD_BYTES, detect, import_file
from flamespan.aggregator.join import join
from flamespan.aggregator.profile import Profile
from flamespan.profiler.errors import SampleFileError, UsageError
from flamespan.profiler.samplefile import MAGIC, SUFFIX, SampleReader

KEEP_BYTES = 16 << 20
"""Files of up to this size together (about 5 million samples) keep every sample."""

PathLike = str | os.PathLike[str]


def load(
    *paths: PathLike | Iterable[PathLike],
    unit_ns: int | None = None,
    keep_samples: bool | None = None,
    application: Sequence[str] = (),
    library: Sequence[str] = (),
) -> Profile:
    """Read recordings into one Profile.

    ``paths`` are files, folders (every sample file in them) and globs. Sample files are
    flamespan's own or a foreign profile that is recognised by its content. Rotated parts of one
    process are joined; several processes stay apart as rows of ``Profile.processes``. A damaged
    or unfinished file gives what it holds; ``Profile.info()`` says what was lost.

    Args:
        paths: where to look; at least one file must be found.
        unit_ns: for formats that count samples: nanoseconds that one count stands for
            (10_000_000 for py-spy at 100 Hz). None takes the numbers as nanoseconds.
        keep_samples: whether every sample stays a row with its time. None: as long as the files
            are small together (``KEEP_BYTES``). Samples of larger ones are summed by span,
            thread and stack as they are read: all sums in tables, trees and diffs are the same,
            but what needs single samples (time windows, flame charts, gaps, holders of the GIL)
            raises UsageError; wall_any_ns and intervals outside of transactions are NaN.
        application: globs on module or file whose functions are application code.
        library: globs on module or file whose functions are library code.

    Raises:
        UsageError: nothing found.
        SampleFileError: a file that was named is not a profile, or is of an unknown version.
    """
    files = find(paths)
    if keep_samples is None:
        keep_samples = sum(map(_size, files)) <= KEEP_BYTES
    contents = _contents(files, unit_ns, keep_samples=keep_samples)
    return Profile.of(*join(contents, application, library))


def _contents(files: dict[str, bool], unit_ns: int | None, *, keep_samples: bool) -> list[Content]:
    """What the files hold; one that was found in a folder and cannot be read is left out."""
    contents: list[Content] = []
    refused: list[SampleFileError] = []
    for file, was_named in files.items():
        try:
            contents += _read(file, unit_ns, keep_samples=keep_samples)
        except SampleFileError as error:
            if was_named:
                raise
            refused.append(error)
    if not contents:
        raise refused[0]
    contents[0].left_out = [str(error) for error in refused]
    return contents


def find(paths: Sequence[PathLike | Iterable[PathLike]]) -> dict[str, bool]:
    """The files that ``paths`` mean, each once, and whether it was named (not just found)."""
    found: dict[str, bool] = {}
    for path in _flat(paths):
        name = os.fspath(path)
        found |= {file: file == name for file in _find_one(name) if not found.get(file)}
    if not found:
        raise UsageError("no file given: name a sample file or the folder it lies in")
    return found


def _flat(paths: Iterable[PathLike | Iterable[PathLike]]) -> Iterable[PathLike]:
    for path in paths:
        if isinstance(path, (str, os.PathLike)):
            yield path
        else:
            yield from path


def _find_one(path: str) -> list[str]:
    if os.path.isdir(path):
        inside = sorted(
            os.path.join(path, name) for name in os.listdir(path) if name.endswith(SUFFIX)
        )
        if not inside:
            raise UsageError(
                f"{path}: no sample file ({SUFFIX}) in this folder; record one with "
                f"'flamespan run -o {path} your_program.py'"
            )
        return inside
    if os.path.exists(path):
        return [path]
    matches = sorted(glob.glob(path, recursive=True))
    if not matches:
        raise UsageError(f"{path}: no such file or folder")
    return [file for match in matches for file in _find_one(match)]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _read(path: str, unit_ns: int | None, *, keep_samples: bool) -> list[Content]:
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise SampleFileError(path, None, error.strerror or str(error)) from None
    if head.startswith(MAGIC) or path.endswith(SUFFIX):
        return [read_content(SampleReader(path), keep_samples=keep_samples)]
    if not head:
        raise SampleFileError(path, 0, "the file is empty")
    kind = detect(head)
    if kind is None:
        raise SampleFileError(
            path, 0, "neither a flamespan sample file nor a profile format that is known"
        )
    return foreign.contents(import_file(path, kind, unit_ns))
