"""Checkout. Planted trouble: one lock for the whole shop, held while a payment takes its time."""

from __future__ import annotations

import threading
import time

from shop.database import Database
from shop.tracing import span

PAYMENT_SECONDS = 0.06
_stock_lock = threading.Lock()


def reserve_under_one_big_lock(database: Database, product_id: int, pieces: int) -> int:
    """Pay for and reserve ``pieces``; the purchase's id. Trouble: buyers queue for the lock."""
    with span("lock.acquire", "stock"):
        _stock_lock.acquire()
    try:
        charge_card()
        database.write(
            "update stock set pieces = pieces - ? where product_id = ?", pieces, product_id
        )
        return database.write(
            "insert into purchase values (null, ?, ?, 'reserved')", product_id, pieces
        )
    finally:
        _stock_lock.release()


def charge_card() -> None:
    """Wait as long as a payment provider takes to answer; the shop talks to nobody outside."""
    with span("http.client", "POST /charge"):
        time.sleep(PAYMENT_SECONDS)
