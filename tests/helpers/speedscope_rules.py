"""speedscope's file format as rules, written from its documented schema and its reader."""

from __future__ import annotations

import itertools
import json

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
UNITS = {"none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"}


def check(text: str) -> dict:
    """The parsed file; AssertionError where a rule of the format is broken."""
    data = json.loads(text, parse_constant=lambda name: (_ for _ in ()).throw(AssertionError(name)))
    assert data["$schema"] == SCHEMA
    assert isinstance(data.get("name", ""), str)
    assert isinstance(data.get("exporter", ""), str)
    frames, profiles = data["shared"]["frames"], data["profiles"]
    assert profiles
    assert data.get("activeProfileIndex", 0) in range(len(profiles))
    for frame in frames:
        _check_frame(frame)
    for profile in profiles:
        assert profile["type"] == "sampled"
        _check_sampled(profile, len(frames))
    return data


def _check_frame(frame):
    assert set(frame) <= {"name", "file", "line", "col"}
    assert isinstance(frame["name"], str)
    assert frame["name"]
    assert isinstance(frame.get("file", ""), str)
    for key in ("line", "col"):
        assert isinstance(frame.get(key, 1), int)
        assert frame.get(key, 1) >= 1


def _check_sampled(profile, frames):
    assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
    assert isinstance(profile["name"], str)
    assert profile["unit"] in UNITS
    samples, weights = profile["samples"], profile["weights"]
    assert len(samples) == len(weights)
    assert all(type(weight) is int and weight > 0 for weight in weights)
    assert all(type(i) is int and 0 <= i < frames for sample in samples for i in sample)
    assert all(len(sample) < 3000 for sample in samples), "speedscope's visitors recurse"
    assert profile["endValue"] - profile["startValue"] == sum(weights)
    assert all(a != b for a, b in itertools.pairwise(samples)), "neighbours not merged"


def folded(data: dict) -> dict[str, int]:
    """Folded stacks of all profiles of a checked file, the empty stack (idle) left out."""
    names = [frame["name"] for frame in data["shared"]["frames"]]
    found: dict[str, int] = {}
    for profile in data["profiles"]:
        for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
            if sample:
                stack = ";".join(names[i] for i in sample)
                found[stack] = found.get(stack, 0) + weight
    return found
