"""Two transactions with nested spans and a stretch that no span covers.

Each takes 0.9 seconds (a little more: sleeps and switches overrun, nothing underruns):

    transaction "GET /report"                       0.9 s
      span db.query "select * from sales"           0.2 s    sleeps: waits
      (no span) work_that_no_span_covers            0.4 s    busy: the gap
      span template.render "report.html"            0.3 s    busy
        span serialize "json"                       0.25 s   its first part

The answer: one gap of 0.4 s in each transaction, filled by ``work_that_no_span_covers``.
Exclusive time by op: the rest 8/18, serialize 5/18, db.query 4/18, template.render 1/18.
"""

import sys
import time

from flamespan.profiler import span, transaction


def query() -> None:
    time.sleep(0.2)


def work_that_no_span_covers() -> None:
    until = time.perf_counter() + 0.4
    while time.perf_counter() < until:
        pass


def to_json() -> None:
    until = time.perf_counter() + 0.25
    while time.perf_counter() < until:
        pass


def render() -> None:
    with span("serialize", "json"):
        to_json()
    until = time.perf_counter() + 0.05
    while time.perf_counter() < until:
        pass


def report() -> None:
    with transaction("GET /report", op="http.server"):
        with span("db.query", "select * from sales"):
            query()
        work_that_no_span_covers()
        with span("template.render", "report.html"):
            render()


def main() -> int:
    for _ in range(2):
        report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
