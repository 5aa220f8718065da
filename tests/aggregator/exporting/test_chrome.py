"""Chrome's trace events: boxes nest, add up, and spans that overlap are on tracks of their own."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest

from flamespan.aggregator import exporting
from helpers.drawn import Drawing, folded
from helpers.scenes import close_span, open_span, shop


def events(profile) -> list[dict]:
    file = io.StringIO()
    exporting.write(profile, "chrome", file)
    return json.loads(file.getvalue(), parse_float=Decimal)["traceEvents"]


def ns(microseconds) -> int:
    return int(Decimal(microseconds) * 1000)


def self_times(found) -> dict[str, int]:
    """Folded stacks: time between neighbouring events of a thread is its innermost box's."""
    folded_ns: dict[str, int] = {}
    for thread in {event["tid"] for event in found if event["ph"] in "BE"}:
        open_boxes: list[str] = []
        before = 0
        for event in found:
            if event["ph"] not in "BE" or event["tid"] != thread:
                continue
            now = ns(event["ts"])
            assert now >= before
            if open_boxes and now > before:
                names = ";".join(open_boxes)
                folded_ns[names] = folded_ns.get(names, 0) + now - before
            before = now
            if event["ph"] == "B":
                open_boxes.append(event["name"])
            else:
                open_boxes.pop()
        assert not open_boxes
    return folded_ns


@pytest.mark.parametrize(
    "view",
    [
        lambda p: p,
        lambda p: p.transaction("GET /cart"),
        lambda p: p.application_frames(),
        lambda p: p.all_states(),
        lambda p: p.clock("cpu"),
    ],
)
def test_boxes_add_up_to_the_stacks(view):
    shown = view(shop().profile())
    assert self_times(events(shown)) == {s: w for s, w in folded(shown).items() if w}


def test_names_of_processes_and_threads():
    named = [e for e in events(shop().profile()) if e["ph"] == "M"]
    assert [(e["name"], e["args"]["name"]) for e in named] == [
        ("process_name", "process 7"),
        ("thread_name", "MainThread"),
        ("thread_name", "worker-1"),
    ]


def test_spans_are_asynchronous_events_with_their_facts():
    spans = [e for e in events(shop().profile()) if e["ph"] in "be"]
    assert [(e["ph"], e["name"], e["ts"]) for e in spans][:4] == [
        ("b", "GET /cart", 0),
        ("e", "GET /cart", 100_000),
        ("b", "db.query", 30_000),
        ("e", "db.query", 80_000),
    ]
    assert spans[0]["args"]["tag user"] == "42"
    assert spans[0]["id2"] == spans[2]["id2"] != spans[4]["id2"]


def test_spans_that_overlap_are_in_different_lanes():
    d = Drawing()
    open_span(d, 1, 0, 0, "GET /", "http")
    for number, begin, end in ((2, 1, 5), (3, 3, 7), (4, 6, 8), (5, 6, 7)):
        open_span(d, number, 1, begin, "", f"op{number}")
        d.spans.ended.append(close_span(number, end))
    d.spans.ended.append(close_span(1, 10))
    lanes = {e["name"]: e["id2"]["local"] for e in events(d.profile()) if e["ph"] == "b"}
    assert lanes == {
        "GET /": "0x1.0",
        "op2": "0x1.0",
        "op3": "0x1.1",
        "op4": "0x1.0",
        "op5": "0x1.0",
    }


def test_very_many_events_are_warned_of(monkeypatch):
    monkeypatch.setattr("flamespan.aggregator.exporting.chrome.MANY_CHANGES", 2)
    with pytest.warns(UserWarning, match="the stacks change 7 times"):
        events(shop().profile())
