"""The rules of Firefox Profiler's processed format (version 48), from its documented types."""

from __future__ import annotations

import json
import math

COLOURS = {
    "transparent", "purple", "green", "orange", "yellow", "lightblue", "blue", "brown",
    "magenta", "red", "lightred", "darkgrey", "grey",
}  # fmt: skip
COLUMNS = {
    "samples": "stack time weight threadCPUDelta",
    "markers": "data name startTime endTime phase category",
    "stackTable": "frame prefix category subcategory",
    "frameTable": "address inlineDepth category subcategory func nativeSymbol innerWindowID "
    "implementation line column",
    "funcTable": "name isJS relevantForJS resource fileName lineNumber columnNumber",
    "resourceTable": "lib name host type",
    "nativeSymbols": "libIndex address name functionSize",
}


def check(text: str) -> dict:
    """The parsed file; AssertionError where a rule of the format is broken."""
    data = json.loads(text)
    meta = data["meta"]
    assert meta["preprocessedProfileVersion"] == 48
    assert any(category["color"] == "grey" for category in meta["categories"])
    for category in meta["categories"]:
        assert category["color"] in COLOURS
        assert category["subcategories"][0] == "Other"
    schemas = {schema["name"] for schema in meta["markerSchema"]}
    for thread in data["threads"]:
        _check_thread(thread, len(meta["categories"]), schemas)
    return data


def _check_thread(thread, categories, schemas):
    assert isinstance(thread["pid"], str)
    sizes = {}
    for table, columns in COLUMNS.items():
        sizes[table] = thread[table]["length"]
        for column in columns.split():
            assert len(thread[table][column]) == sizes[table], (table, column)
    strings = len(thread["stringArray"])
    _indexes(thread["samples"]["stack"], sizes["stackTable"], nullable=True)
    _indexes(thread["stackTable"]["frame"], sizes["frameTable"])
    _indexes(thread["stackTable"]["category"], categories)
    for place, prefix in enumerate(thread["stackTable"]["prefix"]):
        assert prefix is None or 0 <= prefix < place, "callers stand before callees"
    _indexes(thread["frameTable"]["func"], sizes["funcTable"])
    _indexes(thread["frameTable"]["category"], categories)
    _indexes(thread["funcTable"]["name"], strings)
    _indexes(thread["funcTable"]["fileName"], strings, nullable=True)
    assert all(-1 <= place < sizes["resourceTable"] for place in thread["funcTable"]["resource"])
    _indexes(thread["markers"]["name"], strings)
    assert {marker["type"] for marker in thread["markers"]["data"]} <= schemas
    times = thread["samples"]["time"]
    assert times == sorted(times)
    assert all(time >= 0 and math.isfinite(time) for time in times)
    assert all(weight >= 0 for weight in thread["samples"]["weight"])


def _indexes(column, size, *, nullable=False):
    for place in column:
        assert (place is None and nullable) or (type(place) is int and 0 <= place < size)


def folded(data: dict) -> dict[str, int]:
    """Folded stacks in ns of all threads of a checked file."""
    found: dict[str, int] = {}
    for thread in data["threads"]:
        for stack, weight in zip(
            thread["samples"]["stack"], thread["samples"]["weight"], strict=True
        ):
            if weight:
                names = ";".join(path(thread, stack))
                found[names] = found.get(names, 0) + round(weight * 1e6)
    return found


def path(thread, stack):
    names = []
    while stack is not None:
        frame = thread["stackTable"]["frame"][stack]
        function = thread["frameTable"]["func"][frame]
        names.append(thread["stringArray"][thread["funcTable"]["name"][function]])
        stack = thread["stackTable"]["prefix"][stack]
    return names[::-1]
