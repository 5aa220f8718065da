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
from contextlib import closing
from dataclasses import dataclass

HOST = "127.0.0.1"
NO_ANSWER = 0
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
    """One request and how it went; ``status`` is NO_ANSWER if nothing came back."""

    path: str
    status: int
    seconds: float


class Deck:
    """A shuffled supply of paths for several threads, until the time or the count is up."""

    def __init__(self, seed: int, seconds: float, requests: int) -> None:
        dice = random.Random(seed)
        cards = [path for path, count in MIX.items() for _ in range(count)]
        self._cards = itertools.cycle(dice.sample(cards, len(cards)))
        self._dice = dice
        self._lock = threading.Lock()
        self._until = time.perf_counter() + seconds
        self._left = requests

    def is_open(self) -> bool:
        """Whether there is still something to draw."""
        return self._left > 0 and time.perf_counter() < self._until

    def draw(self) -> str | None:
        """The next path; None when the shop has closed."""
        with self._lock:
            if not self.is_open():
                return None
            self._left -= 1
            return next(self._cards).format(
                product=self._dice.randint(1, PRODUCTS), page=self._dice.randint(0, 9)
            )


class Visitor(threading.Thread):
    """One connection and what came back on it; ends early if the shop does not answer."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.answers: list[Answer] = []
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)

    def run(self) -> None:
        """Visit until there is nothing left to do."""
        with closing(self._connection):
            for method, path, body in self.wishes():
                if not self._ask(method, path, body):
                    break

    def wishes(self) -> Iterator[tuple[str, str, str | None]]:
        """Method, path and body of one request after the other."""
        raise NotImplementedError

    def _ask(self, method: str, path: str, body: str | None) -> bool:
        headers = {} if body is None else {"Content-Type": "application/json"}
        began = time.perf_counter()
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            status = NO_ANSWER
        self.answers.append(Answer(path, status, time.perf_counter() - began))
        return status != NO_ANSWER


class Browser(Visitor):
    """Reads one page of the deck after the other."""

    def __init__(self, port: int, deck: Deck) -> None:
        super().__init__(port)
        self._deck = deck

    def wishes(self) -> Iterator[tuple[str, str, str | None]]:
        """What the deck gives."""
        while (path := self._deck.draw()) is not None:
            yield "GET", path, None


class Buyer(Visitor):
    """Checks out one product after the other, for as long as the deck lasts."""

    def __init__(self, port: int, deck: Deck, seed: int) -> None:
        super().__init__(port)
        self._deck = deck
        self._dice = random.Random(seed)

    def wishes(self) -> Iterator[tuple[str, str, str | None]]:
        """Checkouts."""
        while self._deck.is_open():
            order = {"product": self._dice.randint(1, PRODUCTS), "pieces": self._dice.randint(1, 3)}
            yield "POST", "/api/checkout", json.dumps(order)


def drive(args: argparse.Namespace) -> dict[str, object]:
    """Load the shop on ``args.port``; what came of it, as plain data."""
    began = time.perf_counter()
    deck = Deck(args.seed, args.seconds, args.requests)
    visitors: list[Visitor] = [Browser(args.port, deck) for _ in range(args.browsers)]
    visitors += [Buyer(args.port, deck, args.seed + number) for number in range(args.buyers)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    answers = [answer for visitor in visitors for answer in visitor.answers]
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
    parser.add_argument("--requests", type=int, default=100_000, help="at most so many pages")
    parser.add_argument("--browsers", type=int, default=3)
    parser.add_argument("--buyers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    result = drive(args)
    print(json.dumps(result))
    return 1 if result["unexpected"] or not result["requests"] else 0


if __name__ == "__main__":
    sys.exit(main())
