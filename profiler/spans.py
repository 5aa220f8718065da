"""Transactions and spans: how the application says what it is doing."""

from __future__ import annotations

from flamespan.profiler.active import ACTIVE, RECORDING, Span
from flamespan.profiler.engine.spancore import span, transaction

__all__ = [
    "current_span",
    "set_measurement",
    "set_tag",
    "set_transaction_name",
    "span",
    "transaction",
]


def current_span() -> Span | None:
    """The innermost span that is open here; None outside every transaction that is recorded."""
    active = ACTIVE.get()
    if active is None or active.log is not RECORDING.log:
        return None
    found = active.open_ancestor()
    return found if found is not None and found.id else None


def set_tag(key: str, value: object) -> None:
    """Label the active transaction; without one nothing happens."""
    active = current_span()
    if active is not None:
        active.transaction.set_tag(key, value)


def set_measurement(name: str, value: float, unit: str = "") -> None:
    """Attach a number to the active transaction; without one nothing happens."""
    active = current_span()
    if active is not None:
        active.transaction.set_measurement(name, value, unit)


def set_transaction_name(name: str) -> None:
    """Name the active transaction, as its route once that is known; without one nothing happens."""
    active = current_span()
    if active is not None:
        active.transaction.describe(name=name)
