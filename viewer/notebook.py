"""Jupyter and IPython: record a cell, and see the page below it.

%load_ext flamespan.viewer.notebook
%flamespan sorted(data)
"""

from __future__ import annotations

import argparse
import html
import importlib
import shlex
import tempfile
from typing import TYPE_CHECKING, Any

from flamespan.aggregator import load
from flamespan.profiler.errors import FlamespanError, UsageError
from flamespan.viewer.html import render_html

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

HEIGHT = 640


class Page:
    """A profile's page, shown where a notebook shows values; ``profile`` is what it shows."""

    def __init__(self, profile: Profile, height: int = HEIGHT, title: str = "") -> None:
        self.profile = profile
        self._height = height
        self._title = title

    def _repr_html_(self) -> str:
        page = html.escape(render_html(self.profile, title=self._title), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="flamespan" '
            f'style="width: 100%; height: {self._height}px; border: 1px solid #8884"></iframe>'
        )

    def __repr__(self) -> str:
        return self.profile.functions(quick=True).head(10).to_string(index=False)


def record(run: Any, rate_hz: float = 1000, name: str = "cell") -> Profile:
    """Run ``run()`` as a transaction of its own recording; the Profile of it.

    Raises UsageError where something is being recorded already; what ``run`` raises passes through.
    """
    profiler = importlib.import_module("flamespan.profiler")
    with tempfile.TemporaryDirectory() as folder:
        with (
            profiler.Profiler(folder, rate_hz, service="notebook"),
            profiler.transaction(name, "cell"),
        ):
            run()
        return load(folder)


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext``: adds ``%flamespan`` and ``%%flamespan``."""
    mistake = importlib.import_module("IPython.core.error").UsageError  # shown in one line

    def flamespan(line: str, cell: str | None = None) -> Page | None:
        """Record a statement (%flamespan) or a cell (%%flamespan) and show the page.

        Options: --rate HZ (1000), --height PIXELS (640), --name NAME: keep the Profile under that
        name.
        """
        try:
            return _magic(shell, line, cell)
        except FlamespanError as error:
            raise mistake(str(error)) from None

    shell.register_magic_function(flamespan, "line_cell", "flamespan")


def _magic(shell: Any, line: str, cell: str | None) -> Page | None:
    options, rest = _options(line)
    source = rest if cell is None else cell
    if cell is not None and rest:
        raise UsageError(f"%%flamespan: what is {rest!r}? There are --rate, --height, --name")
    if not source.strip():
        raise UsageError("nothing to run: %flamespan STATEMENT, or %%flamespan above a cell")
    results: list[Any] = []
    profile = record(lambda: results.append(shell.run_cell(source)), options.rate)
    if options.name:
        shell.user_ns[options.name] = profile
    return Page(profile, options.height) if results[0].success else None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"%flamespan: {message}")


def _options(line: str) -> tuple[argparse.Namespace, str]:
    """The options before the statement, and the statement as it was written."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--height", type=int, default=HEIGHT)
    parser.add_argument("--name", default="")
    words, rest = [], line.strip()
    while rest.startswith("--"):
        first = rest.split(None, 2 if "=" not in rest.split(None, 1)[0] else 1)
        taken = 1 if "=" in first[0] else 2
        words += first[:taken]
        rest = first[taken] if len(first) > taken else ""
    options = parser.parse_args([w for word in words for w in shlex.split(word)])
    if options.name and not options.name.isidentifier():
        raise UsageError(f"%flamespan: --name {options.name}: give the name of a variable")
    return options, rest
