"""The load driver: visitors that keep the shop busy for a bounded time, from a process of its own.

Standard library only, and only ever 127.0.0.1. Browsers take their requests from one shuffled
deck, so however short the run is, the mix stays the same; buyers check out, one after another.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

HOST = "127.0.0.1"
PRODUCTS = 1_200
MIX = {
    "/": 1,
    "/search?q=maple": 1,
    "/product/{product}": 7,
    "/api/product/{product}": 2,
    "/product/0": 1,
    "/products?page={page}": 4,
    "/categories": 3,
    "/cart/{product}": 3,
    "/bestsellers": 1,
    "/recommendations/{product}": 1,
    "/api/products": 3,
}
"""Path → how often it stands in the deck. ``/product/0`` is a visitor with a stale link."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and how it went."""

    path: str
    status: int
    seconds: float


class Deck:
    """An endless, shuffled supply of paths that several threads draw from."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(seed)
        cards = [path for path, count in MIX.items() for _ in range(count)]
        self._cards = itertools.cycle(dice.sample(cards, len(cards)))
        self._dice = dice
        self._lock = threading.Lock()

    def draw(self) -> str:
        """The next path."""
        with self._lock:
            return next(self._cards).format(
                product=self._dice.randint(1, PRODUCTS), page=self._dice.randint(0, 9)
            )


def browse(port: int, deck: Deck, until: float, answers: list[Answer]) -> None:
    """Read one page after the other until the clock (``perf_counter``) says ``until``."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    while time.perf_counter() < until:
        answers.append(_ask(connection, "GET", deck.draw()))
    connection.close()


def buy(port: int, seed: int, until: float, answers: list[Answer]) -> None:
    """Check out one product after the other until ``until``."""
    dice = random.Random(seed)
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    while time.perf_counter() < until:
        order = {"product": dice.randint(1, PRODUCTS), "pieces": dice.randint(1, 3)}
        answers.append(_ask(connection, "POST", "/api/checkout", json.dumps(order)))
    connection.close()


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None
) -> Answer:
    headers = {} if body is None else {"Content-Type": "application/json"}
    began = time.perf_counter()
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    response.read()
    return Answer(path, response.status, time.perf_counter() - began)


def drive(port: int, seconds: float, browsers: int, buyers: int, seed: int) -> dict[str, object]:
    """Load the shop on ``port`` for ``seconds``; what came of it, as plain data."""
    deck = Deck(seed)
    answers: list[Answer] = []
    began = time.perf_counter()
    until = began + seconds
    visitors = [
        *(
            threading.Thread(target=browse, args=(port, deck, until, answers))
            for _ in range(browsers)
        ),
        *(
            threading.Thread(target=buy, args=(port, seed + n, until, answers))
            for n in range(buyers)
        ),
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return summary(answers, time.perf_counter() - began)


def summary(answers: list[Answer], seconds: float) -> dict[str, object]:
    """Requests a second, percentiles and unexpected statuses."""
    times = sorted(answer.seconds for answer in answers)
    wrong = [a for a in answers if a.status != (404 if a.path == "/product/0" else 200)]
    return {
        "requests": len(answers),
        "seconds": seconds,
        "requests_per_second": len(answers) / seconds,
        "percentiles_ms": dict(_percentiles(times)),
        "unexpected": [f"{answer.path}: {answer.status}" for answer in wrong[:10]],
    }


def _percentiles(times: list[float]) -> Iterator[tuple[str, float]]:
    for percent in (50, 90, 99, 100):
        if times:
            yield str(percent), 1000 * times[min(len(times) * percent // 100, len(times) - 1)]


def main() -> int:
    """Drive a shop that runs already; the summary goes out as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--browsers", type=int, default=3)
    parser.add_argument("--buyers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    result = drive(args.port, min(args.seconds, 3600), args.browsers, args.buyers, args.seed)
    print(json.dumps(result))
    return 1 if result["unexpected"] or not result["requests"] else 0


if __name__ == "__main__":
    sys.exit(main())
