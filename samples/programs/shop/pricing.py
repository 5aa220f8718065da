"""What a cart costs. Planted trouble: rules and discounts that call each other, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shop.database import Database

RULES = 17


@dataclass(frozen=True, slots=True)
class Rule:
    """Takes ``percent`` off a price of at least ``minimum_cents``."""

    minimum_cents: int
    percent: int


def rules_for(customer: int) -> list[Rule]:
    """The rules that a customer may choose from."""
    return [
        Rule(minimum_cents=500 * (1 + (customer + index) % 7), percent=1 + (customer * index) % 4)
        for index in range(RULES)
    ]


def cart_total(database: Database, cart: int) -> int:
    """Sum of the cart's products, in cents: its number picks them."""
    row = database.row("select sum(price_cents) from product where id % 97 = ?", cart % 97)
    return row[0] if row is not None and row[0] is not None else 0


def price_after_rules(cents: int, rules: Sequence[Rule], first: int = 0) -> int:
    """The lowest price with the rules from ``first``. Trouble: calls itself through discounts."""
    if first == len(rules):
        return cents
    return price_after_discounts(cents, rules, first)


def price_after_discounts(cents: int, rules: Sequence[Rule], first: int) -> int:
    """The lower price of using the first rule and leaving it out: twice the work with each rule."""
    rule = rules[first]
    best = price_after_rules(cents, rules, first + 1)
    if cents >= rule.minimum_cents:
        reduced = cents - cents * rule.percent // 100
        best = min(best, price_after_rules(reduced, rules, first + 1))
    return best
