"""Which transactions are recorded, where the application has a function that says so."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

Choice = Callable[[str, str, Mapping[str, object]], "bool | float"]
"""``(name, op, tags)`` of a transaction that begins → whether it is recorded, or how likely."""


class Chooser:
    """Asks the application's function; ``errors`` counts how often it failed.

    A transaction whose choice failed is recorded: what went wrong there is worth seeing.
    """

    def __init__(self, function: Choice) -> None:
        self.name = str(getattr(function, "__qualname__", type(function).__qualname__))
        self.errors = 0
        self._function = function
        self._uniform = random.Random().random  # not the application's: it may be seeded
        self._busy = threading.local()

    def __call__(self, name: str, op: str, tags: Any) -> bool:
        """Whether this transaction is recorded. What the function itself opens is not."""
        if getattr(self._busy, "now", False):
            return False
        self._busy.now = True
        try:
            return self._answer(self._function(name, op, {} if tags is None else tags))
        except Exception:
            if not self.errors:
                logging.getLogger("flamespan").warning(
                    "transaction_sample_rate failed; the transaction is recorded", exc_info=True
                )
            self.errors += 1
            return True
        finally:
            self._busy.now = False

    def _answer(self, said: object) -> bool:
        if isinstance(said, bool):
            return said
        if not isinstance(said, (int, float)) or math.isnan(said):
            raise TypeError(f"{self.name} gave {said!r}: give True, False, or a share from 0 to 1")
        return said >= 1 or self._uniform() < said
