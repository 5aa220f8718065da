"""Each program is a function of (book, seconds): it runs transactions for about that long."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from attribution.tracer import Book

NAMES = {
    "asyncio 20": "tasks:twenty",
    "asyncio 200": "tasks:two_hundred",
    "asyncio 5 ms": "tasks:short",
    "asyncio 50 us": "tasks:switching",
    "spans 30 us": "alternating:spans",
    "threads 8": "threads:eight",
    "gevent 50": "greenlets:fifty",
    "asyncio + pool": "pool:behind_asyncio",
    "trio 20": "nursery:twenty",
}
"""What a program is called in tables → module:function."""


def find(name: str) -> Callable[[Book, float], None]:
    """The program. Raises ImportError where a package that it needs is missing."""
    module, _, function = NAMES[name].partition(":")
    found: Callable[[Book, float], None] = getattr(
        importlib.import_module(f"attribution.programs.{module}"), function
    )
    return found
