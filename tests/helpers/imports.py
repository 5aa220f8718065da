"""What an importer gave, as plain rows, and the rules that hold for whatever it gives."""

from __future__ import annotations

from flamespan.aggregator.importing import Imported, detect, import_file
from flamespan.profiler.errors import FlamespanError


def rows(imported: Imported) -> list[tuple[list[tuple[str, str, int, int]], int]]:
    """Each row as [(name, file, first line, line), …] and its weight."""
    tables = imported.tables
    found = []
    for stack, weight in zip(imported.stack, imported.weight_ns, strict=True):
        frames = []
        for frame in tables.stacks.frames(stack):
            function = tables.functions[tables.frame_function[frame]]
            frames.append(
                (function.name, function.file, function.first_line, tables.frame_line[frame])
            )
        found.append((frames, weight))
    return found


def names(imported: Imported) -> dict[str, int]:
    """Folded stacks by bare name."""
    found: dict[str, int] = {}
    for frames, weight in rows(imported):
        stack = ";".join(frame[0] for frame in frames)
        found[stack] = found.get(stack, 0) + weight
    return found


def check(imported: Imported) -> None:
    """AssertionError where an importer's result breaks what ``Imported`` promises."""
    tables, size = imported.tables, len(imported.stack)
    assert size == len(imported.weight_ns) == len(imported.thread)
    for column in (imported.time_ns, imported.cpu_ns):
        assert column is None or len(column) == size
    assert len(imported.state) in (0, size)
    assert len(imported.span) <= size
    assert all(parent < node or not node for node, parent in enumerate(tables.stacks.parent))
    assert max(tables.stacks.frame) < len(tables.frame_function) == len(tables.frame_line)
    assert max(tables.frame_function) < len(tables.functions)
    assert max(imported.stack) < len(tables.stacks)
    assert set(imported.thread) <= set(tables.threads)
    assert len(imported.thread_process) in (0, len(tables.threads))
    assert all(weight >= 0 for weight in imported.weight_ns)


def read_or_refuse(path, unit_ns=None) -> Imported | Exception | None:
    """What ``load`` would do with a file: None where no importer knows it."""
    kind = detect(path.read_bytes()[: 1 << 16])
    if kind is None:
        return None
    try:
        imported = import_file(path, kind, unit_ns)
    except FlamespanError as error:
        if str(path) not in str(error):
            raise AssertionError("the error does not name the file") from error
        return error
    check(imported)
    return imported
