"""What sells. Planted trouble: a sort in one long C call, during which no other thread runs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from shop.seed import Sale


def sort_all_sales_holding_the_gil(sales: Sequence[Sale], count: int) -> list[Sale]:
    """The dearest sale of each of the last days. Trouble: sorts all, where one pass would do."""
    by_price = sorted(sales, key=itemgetter(2, 1, 0), reverse=True)
    dearest: dict[int, Sale] = {}
    for sale in by_price:
        if sale[1] not in dearest:
            dearest[sale[1]] = sale
    return [dearest[day] for day in sorted(dearest)[-count:]]
