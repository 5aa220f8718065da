"""The background worker: a thread that confirms orders and keeps the search index fresh."""

from __future__ import annotations

import queue
import threading

from jinja2 import Environment

from shop.database import Database
from shop.tracing import job, span

REFRESH_EVERY = 25
"""How many orders are confirmed before the search index is built again."""


class Worker:
    """Runs jobs one after the other; a context manager that starts and ends its thread."""

    def __init__(self, path: str, templates: Environment) -> None:
        self.index: dict[str, list[int]] = {}
        self._path = path
        self._templates = templates
        self._purchases: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="shop-worker")

    def confirm_later(self, purchase: int) -> None:
        """Have a purchase confirmed in the background."""
        self._purchases.put(purchase)

    def search(self, word: str) -> list[int]:
        """Ids of the products whose name holds ``word``."""
        return self.index.get(word, [])

    def _run(self) -> None:
        confirmed = 0
        with Database(self._path) as database:
            while (purchase := self._purchases.get()) is not None:
                with job("confirm order"):
                    self._confirm(database, purchase)
                confirmed += 1
                if confirmed % REFRESH_EVERY == 0:
                    self.refresh(database)

    def _confirm(self, database: Database, purchase: int) -> None:
        row = database.row("select * from purchase where id = ?", purchase)
        if row is None:
            return
        with span("template.render", "confirmation.txt"):
            self._templates.get_template("confirmation.txt").render(purchase=row)
        database.write("update purchase set status = 'confirmed' where id = ?", purchase)

    def refresh(self, database: Database) -> None:
        """Build the search index again from the products' names."""
        with job("refresh search index"):
            rows = database.rows("select id, name from product")
            with span("index.build", f"{len(rows)} products"):
                index: dict[str, list[int]] = {}
                for row in rows:
                    for word in row["name"].split():
                        index.setdefault(word, []).append(row["id"])
            self.index = index

    def __enter__(self) -> Worker:
        with Database(self._path) as database:
            self.refresh(database)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._purchases.put(None)
        self._thread.join()
