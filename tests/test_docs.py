"""Commands in README.md and docs/tables/ give what stands below; REFRESH_GOLDEN=1 writes it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from flamespan.profiler.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "tables"
BLOCK = re.compile(r"```console\n(.*?)```", re.S)
WIDTH = "110"
BLOCKS = [
    (page.relative_to(ROOT), place)
    for page in [ROOT / "README.md", *sorted(PAGES.glob("*.md"))]
    for place in range(len(BLOCK.findall(page.read_text("utf-8"))))
]


def commands(block: str) -> list[str]:
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def answers(block: str, capsys) -> str:
    said = []
    for command in commands(block):
        program, *arguments = shlex.split(command)
        assert program == "flamespan"
        assert main(arguments) == 0
        text = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
        said.append(f"$ {command}\n{text}\n")
    return "".join(said)


def alike(one: str, other: str) -> bool:
    """The same word; versions of rich differ by a column or two in where they cut a name."""
    stems = one.rstrip("…"), other.rstrip("…")
    cut = one.endswith("…") or other.endswith("…")
    return one == other or (
        cut and (stems[0].startswith(stems[1]) or stems[1].startswith(stems[0]))
    )


def test_every_page_has_a_worked_example_and_is_listed():
    index = (ROOT / "docs" / "tables.md").read_text("utf-8")
    names = sorted(page.name for page in PAGES.glob("*.md"))
    assert sorted(re.findall(r"\(tables/(\S+?)\)", index)) == names
    assert {name.name for name, _ in BLOCKS} == {"README.md", *names}


@pytest.mark.parametrize(("name", "place"), BLOCKS)
def test_worked_examples(name, place, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", WIDTH)
    page = ROOT / name
    text = page.read_text("utf-8")
    block = BLOCK.findall(text)[place]
    found = answers(block, capsys)
    if os.environ.get("REFRESH_GOLDEN"):
        page.write_text(text.replace(block, found, 1), "utf-8")
        block = found
    ours, theirs = found.split(), block.split()
    assert len(ours) == len(theirs)
    assert [pair for pair in zip(ours, theirs, strict=True) if not alike(*pair)] == []
