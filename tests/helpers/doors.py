"""The apps of docs/doors, run as they stand there; whose samples are whose in their recordings.

The pages import what their app does from a module ``shop``, made here: each of its functions
computes under a name of its own, so that a sample's stack tells whose it must be.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from flamespan.profiler.errors import SampleFileError
from helpers import recordings

PAGES = Path(__file__).parents[2] / "docs" / "doors"
WORK = ("load_user", "render_report", "send_mail", "crash_late", "next_page", "greet", "query")
SHOP = "import time\n\n" + "\n\n".join(
    f"def {name}(*_):\n"
    "    until = time.perf_counter() + 0.15\n"
    "    while time.perf_counter() < until:\n"
    f"        pass\n    return {name!r}\n"
    for name in WORK
)


def snippet(page: str, number: int = 0) -> str:
    """The Python blocks of a page, in their order."""
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text("utf-8"), re.S)[number]


def lay_out(folder: Path, page: str, name: str = "app.py", number: int = 0) -> Path:
    """Put a page's code, and the shop that it uses, into ``folder``."""
    (folder / "shop.py").write_text(SHOP)
    path = folder / name
    path.write_text(snippet(page, number))
    return path


@dataclass
class Told:
    """One transaction or span of a recording."""

    name: str
    op: str
    description: str
    status: str = "open"
    tags: dict[str, str] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0
    parent: Told | None = None

    @property
    def root(self) -> Told:
        return self if self.parent is None else self.parent.root


@dataclass
class Record:
    """All sample files of a folder: spans, and which transaction had which function's samples."""

    spans: list[Told] = field(default_factory=list)
    owners: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def transactions(self) -> list[Told]:
        return [span for span in self.spans if span.parent is None]

    def counts(self) -> Counter[tuple[str, str, str]]:
        return Counter((t.name, t.op, t.status) for t in self.transactions)

    def only(self, name: str) -> Told:
        """The one transaction or span of this name or description."""
        (found,) = [s for s in self.spans if name in (s.name, s.description)]
        return found

    def check_owners(self, **owners: str) -> None:
        """Each function's samples are of this transaction alone, but for few of nobody."""
        for function, owner in owners.items():
            mine = {who: n for (f, who), n in self.owners.items() if f == function}
            assert mine.get(owner, 0) >= 1, (function, owner, self.owners)
            stray = {who: n for who, n in mine.items() if who not in (owner, "nobody")}
            assert not stray, (function, stray)
            assert mine.get("nobody", 0) <= 1 + 0.1 * mine[owner], (function, mine)


def read(folder: Path) -> Record:
    """What is recorded in ``folder``."""
    record = Record()
    for path in sorted(folder.glob("*.fspan")):
        with contextlib.suppress(SampleFileError):
            _take(record, recordings.read(path))
    return record


def _take(record: Record, recording) -> None:
    spans: dict[int, Told] = {}
    for start in recording.spans.started:  # a later row of an id replaces the earlier
        told = spans.setdefault(start.id, Told("", "", ""))
        told.name, told.op, told.description = start.name, start.op, start.description
        told.start_ns, told.parent = start.start_ns, spans.get(start.parent)
    for end in recording.spans.ended:
        spans[end.id].status, spans[end.id].end_ns = end.status, end.end_ns
    for tag in recording.spans.tags:
        spans[tag.id].tags[tag.key] = tag.value
    record.spans += spans.values()
    for row in recordings.rows(recording):
        mark = next((name for name in reversed(row.stack) if name in WORK), None)
        if mark is not None and row.state.name in ("RUNNING", "GIL_WAIT", "GC", "UNKNOWN"):
            span = spans.get(row.span)
            record.owners[mark, span.root.name if span else "nobody"] += 1
