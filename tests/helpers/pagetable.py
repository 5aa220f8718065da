"""Reads the page's table in a browser and holds it against a Profile, to the nanosecond."""

from __future__ import annotations

TALL = {"width": 1440, "height": 4800}
"""A window in which every row of the table is drawn."""


def ready(page):
    page.wait_for_selector("body[data-ready]", timeout=10_000)


def rows(page):
    """[function, self, total, level] of the rows in sight, exact nanoseconds."""
    found = page.eval_on_selector_all(
        "#table-inner .row",
        "rows => rows.map(r => [r.querySelector('.fn').textContent, +r.dataset.selfNs,"
        " +r.dataset.totalNs, +r.dataset.level])",
    )
    assert len(found) == int(page.get_attribute("#table-grid", "aria-rowcount")) - 1
    return found


def sums(page):
    data = page.eval_on_selector("#sums", "e => ({...e.dataset})")
    return [int(data[name]) for name in ("sumNs", "excludedNs", "rehomedNs")]


def open_all(page):
    """Opens the whole tree with the keyboard, level by level."""
    for _ in range(500):
        closed = page.locator("#table-inner .row[aria-expanded=false]")
        if not closed.count():
            return
        closed.first.focus()
        page.keyboard.press("*")
    raise AssertionError("the tree does not end")


def check_bottom_up(page, profile):
    table = profile.functions()
    table = table[table["self_ns"] > 0]
    wanted = table[["function", "self_ns", "total_ns"]].to_numpy().tolist()
    assert [row[:3] for row in rows(page)] == wanted
    assert sums(page) == [profile.total_ns, profile.excluded_ns, profile.rehomed_ns]


def check_tree(page, profile, direction):
    tree = profile.tree(direction)
    open_all(page)
    nodes = [node for node in range(1, len(tree)) if tree.total_ns[node]]
    shown = rows(page)
    if direction == "top-down":
        assert [row[:3] for row in shown] == [
            [tree.name(n), tree.self_ns[n], tree.total_ns[n]] for n in nodes
        ]
    else:
        assert [row[:2] for row in shown] == [[tree.name(n), tree.total_ns[n]] for n in nodes]
    assert [row[3] for row in shown] == [tree.depth[n] for n in nodes]
