"""Fuzzes every importer with atheris, which follows the code's own branches.

    pip install atheris        (CPython 3.11 to 3.13)
    python tests/bench/fuzz_importers.py [CORPUS_FOLDER] [-max_total_time=300] [-rss_limit_mb=2048]

The first byte of an input chooses the importer, the rest is the file. Anything but an error that
names the file is a finding, as are a run of over 10 s and more memory than the limit; what an
importer gives is checked by tests/helpers/imports.py. The suite's own fuzzing (hypothesis) is in
tests/aggregator/importing/test_hostile.py and needs nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

try:
    import atheris
except ImportError:
    sys.exit("this needs atheris: pip install atheris (CPython 3.11 to 3.13)")

with atheris.instrument_imports(
    include=["flamespan.aggregator.importing", "flamespan.aggregator.protobuf"]
):
    from flamespan.aggregator.importing import (  # noqa: F401
        IMPORTERS,
        austin,
        collapsed,
        cpython,
        detect,
        import_file,
        jsonfile,
        pprof,
        pstats,
        sentry,
        speedscope,
    )

from flamespan.aggregator import exporting
from flamespan.profiler.errors import SampleFileError
from helpers.imports import check
from helpers.scenes import shop

KINDS = list(IMPORTERS)
FILE = os.path.join(tempfile.mkdtemp(), "input")


def one(data: bytes) -> None:
    if not data:
        return
    with open(FILE, "wb") as file:
        file.write(data[1:])
    detect(data[1:])
    try:
        check(import_file(FILE, KINDS[data[0] % len(KINDS)], 3))
    except SampleFileError as error:
        if error.path != FILE or not error.reason:
            raise AssertionError("an error without its file or reason") from error


def seeds(folder: Path) -> None:
    """A good file of each kind to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = shop().profile()
    warnings.simplefilter("ignore")
    for name, kind in (("collapsed", "collapsed"), ("speedscope", "json"), ("sentry", "json"),
                       ("pprof", "pprof")):  # fmt: skip
        exporting.export(profile, name, folder / "made")
        made = (folder / "made").read_bytes()
        (folder / name).write_bytes(bytes([KINDS.index(kind)]) + made)
    (folder / "made").unlink()


def main() -> None:
    folder = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    if folder:
        seeds(Path(folder))
    atheris.Setup([*sys.argv, "-timeout=10"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
