"""What ``flamespan report --by`` can be, and which rows of a table are shown."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import pandas as pd

from flamespan.aggregator.profile import Profile
from flamespan.profiler.errors import UsageError

FORMATS = ("table", "csv", "json", "markdown")

LIMIT = 30
"""Rows that a table for people has unless ``--limit`` says otherwise."""

QUESTIONS: dict[str, Callable[[Profile, argparse.Namespace], pd.DataFrame]] = {
    "function": lambda profile, _: profile.functions(),
    "line": lambda profile, _: profile.lines(),
    "module": lambda profile, _: profile.modules(),
    "file": lambda profile, _: profile.files(),
    "path": lambda profile, _: profile.call_paths(),
    "callers": lambda profile, asked: profile.callers(_function(asked)),
    "callees": lambda profile, asked: profile.callees(_function(asked)),
    "per-transaction": lambda profile, _: profile.functions_per_transaction(),
    "thread": lambda profile, _: profile.threads(),
    "process": lambda profile, _: profile.process_table(),
    "transaction": lambda profile, asked: profile.transactions(instances=asked.instances),
    "span": lambda profile, asked: profile.spans(instances=asked.instances),
    "gap": lambda profile, _: profile.gaps(),
    "op": lambda profile, _: profile.op_breakdown(),
    "waiting": lambda profile, asked: profile.waiting("transaction", instances=asked.instances),
    "waiting-span": lambda profile, asked: profile.waiting("span", instances=asked.instances),
    "waiting-function": lambda profile, _: profile.waiting("function"),
    "waiting-thread": lambda profile, _: profile.waiting("thread"),
    "gil-holders": lambda profile, _: profile.gil_holders("function"),
    "gil-holders-transaction": lambda profile, asked: profile.gil_holders(
        "transaction", instances=asked.instances
    ),
    "gil-holders-span": lambda profile, asked: profile.gil_holders(
        "span", instances=asked.instances
    ),
    "gil-holders-thread": lambda profile, _: profile.gil_holders("thread"),
    "gil-hogs": lambda profile, _: profile.gil_hogs("function"),
    "gil-hogs-thread": lambda profile, _: profile.gil_hogs("thread"),
    "gil-hogs-transaction": lambda profile, _: profile.gil_hogs("transaction"),
    "measurement": lambda profile, asked: profile.measurements(instances=asked.instances),
    "sample": lambda profile, _: profile.samples(),
}
"""What ``report --by`` can be; the second argument holds the options."""

SINGLE = {"gap", "sample", *(name for name in QUESTIONS if name.startswith("gil-"))}
"""Those that need every sample with its time (``Rows.single``)."""


def _function(asked: argparse.Namespace) -> str:
    if asked.function is None:
        raise UsageError(f"--by {asked.by} needs --function NAME: whose {asked.by}?")
    name: str = asked.function
    return name


def limited(table: pd.DataFrame, args: argparse.Namespace) -> pd.DataFrame:
    """As many rows as were asked for; people get few by default, programs all."""
    for_people = args.format in ("table", "markdown")
    if args.limit is not None and args.limit < 0:
        raise UsageError(f"--limit {args.limit}: rows to show, 0: all")
    limit = args.limit if args.limit is not None else (LIMIT if for_people else 0)
    return table.head(limit) if limit > 0 else table


def matching(table: pd.DataFrame, pattern: re.Pattern[str]) -> pd.DataFrame:
    """Rows whose function matches (or what else names them, where there is no function)."""
    names = ("function", "module", "file", "transaction", "op", "thread", "program")
    column = next(name for name in names if name in table)
    found = [bool(pattern.search(name)) for name in table[column]]
    return table[found]


def in_order(table: pd.DataFrame, asked: str) -> pd.DataFrame:
    """Sorted by a column, which may go without its unit: numbers from the largest, text from A."""
    name = next((name for name in (asked, f"{asked}_ns", f"{asked}_share") if name in table), None)
    if name is None:
        raise UsageError(f"--sort {asked!r}: this table has {', '.join(table.columns)}")
    rising = not pd.api.types.is_numeric_dtype(table[name])
    return table.sort_values(name, ascending=rising, kind="stable", ignore_index=True)
