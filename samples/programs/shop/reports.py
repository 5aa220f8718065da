"""What sells. Planted trouble: a sort in one long C call, during which no other thread runs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from shop.seed import Sale


def sort_all_sales_holding_the_gil(sales: Sequence[Sale], count: int) -> list[Sale]:
    """The ``count`` dearest sales. Trouble: sorts all, where ``heapq.nlargest`` would do."""
    by_price = sorted(sales, key=itemgetter(2, 1, 0), reverse=True)
    return by_price[:count]
