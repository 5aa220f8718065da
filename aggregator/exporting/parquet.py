"""Parquet: samples summed by transaction, thread and stack, for DuckDB, pandas, Spark and others.

Columns: pid (int64), thread, transaction (strings; transaction is null outside of one), function
(the leaf), stack (list of strings "name (file:first line)", root first), samples, wall_ns,
cpu_ns, wait_ns (int64). Times and single spans are not held.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator.exporting.grouped import Groups, groups
from flamespan.aggregator.stacktree import Ids, Ints, StackTree
from flamespan.aggregator.timeline import NO_STACK, thread_name
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def write(profile: Profile, file: IO[bytes]) -> None:
    """Write ``profile`` to ``file``. UsageError where pyarrow is not installed."""
    try:
        import pyarrow  # type: ignore[import-untyped]  # noqa: PLC0415
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'flamespan[arrow]' (or export csv or json)"
        ) from error
    table = pyarrow.table(_columns(profile, groups(profile), pyarrow))
    pyarrow.parquet.write_table(table, file, compression="zstd")


def _columns(profile: Profile, summed: Groups, arrow: Any) -> dict[str, Any]:
    tables, tree = profile.tables, profile.shown.tree
    threads = [thread_name(profile, number) for number in range(len(tables.threads))]
    pids = [profile.processes[row.process].header.pid for row in tables.threads]
    labels = [tables.label(function) for function in range(len(tables.function_name))] + [NO_STACK]
    nothing = len(labels) - 1
    function = np.append(tables.frame_function, nothing).astype(np.int32)
    frames, starts = _paths(tree, summed.stack, len(function) - 1)
    leaf = function[np.where(summed.stack > 0, tree.key[summed.stack], len(function) - 1)]
    texts = arrow.array(labels)

    def coded(numbers: Ids, words: Any, mask: np.ndarray | None = None) -> Any:
        return arrow.DictionaryArray.from_arrays(arrow.array(numbers, mask=mask), words)

    return {
        "pid": arrow.array(np.array(pids, np.int64)[summed.thread]),
        "thread": coded(summed.thread, arrow.array(threads)),
        "transaction": coded(
            np.maximum(summed.transaction, 0),
            arrow.array(summed.names or [""]),
            summed.transaction < 0,
        ),
        "function": coded(leaf, texts),
        "stack": arrow.ListArray.from_arrays(
            arrow.array(starts.astype(np.int32)), coded(function[frames], texts)
        ),
        "samples": arrow.array(summed.samples),
        "wall_ns": arrow.array(summed.wall_ns),
        "cpu_ns": arrow.array(summed.cpu_ns),
        "wait_ns": arrow.array(summed.wait_ns),
    }


def _paths(tree: StackTree, stacks: Ids, nothing: int) -> tuple[Ids, Ints]:
    """Frames of each stack, root first, one after the other, and where each begins.

    A stack without frames has the one frame ``nothing``.
    """
    lengths = np.maximum(tree.depth[stacks], 1).astype(np.int64)
    starts = np.r_[0, np.cumsum(lengths)]
    frames = np.full(int(starts[-1]), nothing, np.int32)
    nodes, place = stacks.astype(np.int64), starts[1:] - 1
    while len(nodes):
        place, nodes = place[nodes > 0], nodes[nodes > 0]
        frames[place] = tree.key[nodes]
        nodes, place = tree.parent[nodes].astype(np.int64), place - 1
    return frames, starts
