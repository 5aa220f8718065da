"""Every console block in docs/formats/ is run as written and gives what stands below its commands.

``…`` stands for anything. A program that is not here ends a block: what stands above it was run.
REFRESH_GOLDEN=1 writes the answers anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flamespan.viewer import speedscope
from helpers.scenes import shop

PAGES = Path(__file__).parents[1] / "docs" / "formats"
BLOCK = re.compile(r"```console\n(.*?)```", re.S)
BLOCKS = [
    (page.name, place)
    for page in sorted(PAGES.glob("*.md"))
    for place in range(len(BLOCK.findall(page.read_text("utf-8"))))
]
NEEDED = ("austin", "duckdb", "go", "jq", "npx", "python3.15")
PROGRAM = """
def work():
    return sum(i * i for i in range(20_000))

for _ in range(300):
    work()
"""


@pytest.fixture
def folder(tmp_path):
    """Where a reader of the page stands: ``profiles/`` and ``app.py`` are there."""
    (tmp_path / "profiles").mkdir()
    shop().write(tmp_path / "profiles" / "shop.fspan")
    (tmp_path / "app.py").write_text(PROGRAM)
    return tmp_path


def steps(block: str) -> list[tuple[str, str]]:
    """Commands, which may go over several lines, and what is below each."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        lines = part.splitlines()
        command = lines.pop(0)
        while command.count('"') % 2 and lines:
            command += "\n" + lines.pop(0)
        found.append((command, "\n".join(lines)))
    return found


def missing(command: str) -> str | None:
    """The program that a command needs and that is not here."""
    words = set(re.findall(r"[\w.]+", command.replace("@node", "")))
    for name in NEEDED:
        if name in words and shutil.which(name, path=paths()) is None:
            return name
    if "speedscope-html" in command and speedscope.release() is None:
        return "flamespan-speedscope"
    # Tests marked npm fetch things.
    return "what npx fetches" if command.startswith("npx -p") else None


def paths() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def run(command: str, folder: Path) -> str:
    """What a command prints, what flamespan says on standard error below it."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": paths(), "COLUMNS": "100", "PPROF_TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode and "austin" in command.split()[:1]:
        pytest.skip(f"austin cannot record here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    lines = [*done.stdout.splitlines(), *filter(ours, done.stderr.splitlines())]
    return "\n".join(line.rstrip() for line in lines)


def ours(line: str) -> bool:
    return line.startswith("flamespan: ")


def same(found: str, written: str) -> bool:
    """Word by word, as a page may break lines elsewhere."""
    if not any(map(ours, written.splitlines())):  # a page need not repeat every warning
        found = "\n".join(line for line in found.splitlines() if not ours(line))
    words = [re.escape(word).replace("…", ".*") for word in written.split()]
    return re.fullmatch(r"\s*".join(words), " ".join(found.split()), re.S) is not None


def test_every_page_has_a_worked_example():
    assert {name for name, _ in BLOCKS} == {page.name for page in PAGES.glob("*.md")}


@pytest.mark.parametrize(("name", "place"), BLOCKS)
def test_examples_do_what_the_page_says(name, place, folder):
    page = PAGES / name
    for command, written in steps(BLOCK.findall(page.read_text("utf-8"))[place]):
        if absent := missing(command):
            pytest.skip(f"{absent} is not here")
        found = run(command, folder)
        if written and os.environ.get("REFRESH_GOLDEN") and not same(found, written):
            page.write_text(page.read_text("utf-8").replace(written, found, 1), "utf-8")
        elif written:
            assert same(found, written), f"{command}\n{found}"
