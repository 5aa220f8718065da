"""What a recording is and how good it is: the facts behind ``flamespan info``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator.data import Process
from flamespan.aggregator.stacktree import Ids
from flamespan.profiler.model import Flag, Header

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def info(profile: Profile) -> dict[str, Any]:
    """Plain data: what is in view, and one entry per process.

    Keys: samples, summed (whether they were summed as they were read), threads, transactions,
    spans, functions, stacks (counts), clock, duration_ns, total_ns (of the chosen states),
    excluded_ns, unobserved_ns, torn, truncated (samples), processes (see ``process_info``).
    """
    tables, rows = profile.tables, profile.rows
    in_view = profile.span_mask
    return {
        "samples": int(rows.samples.sum()),
        "summed": rows.summed is not None,
        "threads": _distinct(rows.thread),
        "transactions": int((in_view & tables.spans.is_transaction).sum()),
        "spans": int((in_view & ~tables.spans.is_transaction).sum()),
        "functions": _distinct(tables.frame_function[tables.tree.key]),
        "stacks": _distinct(rows.stack),
        "clock": profile.weight_clock,
        "duration_ns": profile.duration_ns,
        "total_ns": profile.total_ns,
        "excluded_ns": profile.excluded_ns,
        "unobserved_ns": profile.unobserved_ns,
        "torn": int(rows.samples[rows.flags & Flag.TORN > 0].sum()),
        "truncated": int(rows.samples[rows.flags & Flag.TRUNCATED > 0].sum()),
        "processes": [process_info(process) for process in profile.processes],
    }


def _distinct(ids: Ids) -> int:
    return int(np.count_nonzero(np.bincount(ids)))


def process_info(process: Process) -> dict[str, Any]:
    """One process: its header, counters, and what was lost.

    ``achieved_hz`` is passes over the time in which the sampler was awake; ``asleep_ns`` is how
    long it slept since no transaction was open (``mode`` "transactions");
    ``unchosen_transactions`` were not recorded, by ``transaction_sample_rate`` or the function
    ``transaction_sampler``, which failed ``choice_errors`` times. ``scrub_errors``: texts that
    ``scrub`` failed for, and that were not written. ``clean_end`` says whether the
    recording was closed (a killed process leaves none); ``lost`` counts blocks and bytes that
    could not be read. ``sampler_share`` is the sampler's CPU as a share of one core. ``torn``
    samples have part of a stack, ``skewed`` ones no span since it could not be told; ``retries``
    are looks at a stack that had to be repeated. ``stretched_passes`` came later than asked because
    sampling would have cost more than its budget; ``interval_ns`` is the interval at the end.
    """
    header, stats = process.header, process.stats
    seconds = (process.last_ns - process.first_ns) / 1e9
    awake = seconds - process.asleep_ns / 1e9
    return {
        "paths": list(process.paths),
        **_recorded_by(header),
        "start_ns": process.first_ns,
        "duration_ns": process.last_ns - process.first_ns,
        "asked_hz": 1e9 / header.interval_ns if header.interval_ns else 0.0,
        "achieved_hz": process.passes / awake if awake > 0 else 0.0,
        **{
            name: getattr(header, name)
            for name in ("mode", "transaction_sample_rate", "transaction_sampler")
        },
        "asleep_ns": max(process.asleep_ns, stats.asleep_ns),
        **_counted(process),
        "interval_ns": stats.interval_ns or header.interval_ns,
        "sampler_share": stats.sampler_cpu_ns / 1e9 / seconds if seconds > 0 else 0.0,
        "clean_end": process.end is not None,
        "end": process.end.reason if process.end else "",
        "left_out": list(process.left_out),
        "notes": list(process.notes),
    }


def _recorded_by(header: Header) -> dict[str, Any]:
    """Which program was recorded, where and by what."""
    names = ("pid", "parent_pid", "host", "service", "environment", "release", "program")
    machine = ("engine", "python", "os", "device")
    return {
        **{name: getattr(header, name) for name in names},
        **{name: dict(getattr(header, name)) for name in machine},
    }


def _counted(process: Process) -> dict[str, Any]:
    """What was counted while recording, and what could not be read."""
    stats, loss = process.stats, process.loss
    of_process = ("passes", "late", "missed", "unobserved_ns")
    of_stats = (
        *("torn", "skewed", "retries", "stretched_passes", "dropped_samples", "dropped_spans"),
        *("failed_flushes", "sampler_cpu_ns", "recorder_cpu_ns"),
        *("unchosen_transactions", "unfollowed_transactions", "choice_errors", "most_open_spans"),
        "scrub_errors",
    )
    return {
        **{name: getattr(process, name) for name in of_process},
        **{name: getattr(stats, name) for name in of_stats},
        "lost": {
            "blocks": loss.blocks,
            "skipped_bytes": loss.skipped_bytes,
            "tail_bytes": loss.tail_bytes,
        },
    }


def troubles(process: dict[str, Any]) -> Iterator[str]:
    """What makes a recording (a ``process_info``) less than whole, a line each."""
    lost = process["lost"]
    if not process["clean_end"] and process["passes"]:
        yield "no clean end: the process was killed, or is still running"
    if lost["blocks"] or lost["skipped_bytes"]:
        yield f"damaged: {lost['blocks']} blocks, {lost['skipped_bytes']} bytes could not be read"
    if lost["tail_bytes"]:
        yield f"the last {lost['tail_bytes']} bytes are no whole block (a write cut short)"
    if process["stretched_passes"]:
        share = process["stretched_passes"] / max(1, process["passes"])
        yield (
            f"{share:.0%} of the passes came less often than asked, to stay within the budget; "
            f"at the end every {process['interval_ns'] / 1e6:.3g} ms"
        )
    counted = ("dropped_samples", "dropped_spans", "failed_flushes", "choice_errors")
    for name in (*counted, "scrub_errors"):
        if process[name]:
            yield f"{process[name]} {name.replace('_', ' ')}"
    if process["unfollowed_transactions"]:
        yield (
            f"{process['unfollowed_transactions']} transactions whose waiting was not sampled: "
            "too many were suspended at a time"
        )
    yield from (f"left out: {reason}" for reason in process["left_out"])
