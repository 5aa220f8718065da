"""The self-contained file: its policy, its one scope, what hostile names can do to it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from flamespan.profiler.errors import UsageError
from flamespan.viewer import html, pagedata
from helpers import webapp
from helpers.drawn import draw


class Parts(HTMLParser):
    """What a page consists of: inline scripts and styles, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inline: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._in = f"{tag} {given.get('type', '')}".strip() if tag in ("script", "style") else ""
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_data(self, data):
        if self._in and data.strip():
            self.inline.setdefault(self._in, []).append(data)

    def handle_endtag(self, tag):
        self._in = ""


def head_of(page: str) -> dict:
    (data,) = Parts(page).inline["script application/octet-stream"]
    packed = gzip.decompress(base64.b64decode(data))
    return json.loads(packed[8 : 8 + int.from_bytes(packed[:4], "little")])


def test_policy_allows_this_script_and_style_and_nothing_else():
    parts = Parts(html.render_html(draw([("main;a", 10)])))
    rules = dict(rule.split(" ", 1) for rule in parts.policy.split("; "))
    assert rules["default-src"] == "'none'"
    for rule, kind in (("script-src", "script module"), ("style-src", "style")):
        (text,) = parts.inline[kind]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert set(rules) == {
        "default-src",
        "script-src",
        "style-src",
        "img-src",
        "base-uri",
        "form-action",
    }
    assert rules["img-src"] == "data:"
    assert parts.addresses == ["data:,"]
    assert not parts.handlers


def test_modules_share_one_scope_without_clashes():
    """Joined into one script, two modules must not use one name for two things."""
    names: dict[str, str] = {}
    for module in html.MODULES:
        text = html.read_page_file(f"{module}.js")
        declared = re.findall(
            r"^(?:export )?(?:async )?(?:function|class|const|let|var) (\w+)", text, re.M
        )
        declared += re.findall(r"^(?:export )?const \{", text, re.M)
        for name in declared:
            assert name not in names, f"{name} is in {names.get(name)} and in {module}"
            names[name] = module
    assert len(names) > 60


def test_modules_stand_after_what_they_import():
    files = {path.name for path in html.page_folder().iterdir() if path.name.endswith(".js")}
    assert files == {f"{module}.js" for module in html.MODULES}
    for place, module in enumerate(html.MODULES):
        text = html.read_page_file(f"{module}.js")
        assert len(re.findall(r"^import ", text, re.M)) == len(html.imported_by(module))
        assert " as " not in "".join(re.findall(r"^import[^;]*;", text, re.M)), (
            "names must not change"
        )
        assert set(html.imported_by(module)) <= set(html.MODULES[:place])
    bundle = html.bundle()
    assert not re.search(r"^\s*(import|export)\b", bundle, re.M)
    # One module asks the server, where there is one: a file's policy allows no request.
    assert bundle.count("fetch(") == html.read_page_file("datasource.js").count("fetch(") == 1
    bundle = bundle.replace("answer = await fetch(", "")
    assert not re.search(
        r"\bimport\((?!\"\./\w+\.js\"\)\.)|\bfetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|eval\(",
        bundle,
    )


def test_modules_are_small():
    for module in html.MODULES:
        assert html.read_page_file(f"{module}.js").count("\n") < 300, module
        assert html.read_page_file(f"{module}.js").startswith("// @ts-check\n/** ")


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "<img onerror=x>", "<!--", "\udcff"]
)
def test_hostile_names_stay_data(name):
    page = html.render_html(draw([(f"main;{name}", 10)]), title=name)
    parts = Parts(page)
    assert {kind: len(texts) for kind, texts in parts.inline.items()} == {
        "style": 1,
        "script application/octet-stream": 1,
        "script application/x-flamespan": 1,
        "script module": 1,
    }
    # What is no character is loaded as the mark for that.
    assert name.replace("\udcff", "\ufffd") in head_of(page)["functions"]["name"]
    page.encode("utf-8")


def test_columns_come_back_exactly():
    def back(values):
        place, body = pagedata._pack_column("x", np.array(values, np.int64))
        stored = np.frombuffer(body, pagedata._TYPES[place["type"]], place["length"])
        return place["type"], (stored.astype(object) * place["scale"]).astype(np.int64).tolist()

    for values, kind in [
        ([], "u8"),
        ([0, 255], "u8"),
        ([256], "u16"),
        ([7, 70_001], "u32"),
        ([10_000_000, 5_000_000], "u8"),
        ([-1, 3], "i32"),
        ([2**33 + 1, 2], "f64"),
        ([2**53, 2**53 - 1], "f64"),
        ([-(2**40), 1], "f64"),
    ]:
        assert back(values) == (kind, values)


def test_recordings_too_far_apart_are_refused():
    with pytest.raises(UsageError, match="104 days"):
        pagedata._pack_column("time", np.array([0, 2**53 + 1]))


def test_only_stacks_in_use_are_sent():
    profile = webapp.build().profile()
    whole = pagedata.page_data(profile)
    part = pagedata.page_data(profile.transaction("GET /health"))
    assert len(part.columns["stack_parent"]) < len(whole.columns["stack_parent"]) / 2
    assert len(part.columns["sample_stack"]) == len(profile.transaction("GET /health").rows)
    assert part.columns["span_in_view"].sum() == 8 + 0
    assert whole.columns["span_in_view"].all()


def test_empty_recording_makes_a_page():
    head = head_of(html.render_html(draw([])))
    assert head["end_ns"] == 0
    assert head["gaps"] == []
