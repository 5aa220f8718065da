"""sqlite on disk: one connection for each request or worker, each statement in a span."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from shop.tracing import span


class Database:
    """A connection to the shop's file; a context manager that closes it."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._connection.row_factory = sqlite3.Row

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with span("db.query", sql):
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        rows = self.rows(sql, *values)
        return rows[0] if rows else None

    def write(self, sql: str, *values: Any) -> int:
        """Run one statement that changes something; the id of the row it put in."""
        with span("db.query", sql):
            return self._connection.execute(sql, values).lastrowid or 0

    def write_many(self, sql: str, values: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for many rows, all or none of them."""
        with span("db.query", sql), self._connection:
            self._connection.execute("begin")
            self._connection.executemany(sql, values)

    def script(self, sql: str) -> None:
        """Run the statements of the schema."""
        self._connection.executescript(sql)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
