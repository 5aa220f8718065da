"""What ``flamespan top`` shows, and how keys change it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flamespan.profiler.errors import UsageError

SORTS = {
    "function": ("self", "total", "samples", "name"),
    "transaction": ("total", "rate", "p95", "errors", "open", "cpu", "name"),
    "thread": ("running", "cpu", "gil", "name"),
}
"""By what each table can be sorted; the first is the default."""

CLOCKS = ("wall", "cpu", "gil", "wait")
WINDOWS_S = (2, 5, 10, 30, 60, 300)

HELP = (
    "q quit  f t h functions, transactions, threads  s S sort  c clock  a application only  "
    "/ filter  + - window  space pause"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The table, its order, filter, clock and window. ``typing``: keys go into the filter.

    Raises UsageError for a table, sort, clock or window that cannot be.
    """

    by: str = "function"
    sort: str = ""
    filter: str = ""
    clock: str = "wall"
    window_s: float = 10.0
    application: bool = False
    paused: bool = False
    typing: bool = False
    over: bool = False

    def __post_init__(self) -> None:
        for given, known, option in (
            (self.by, SORTS, "--by"),
            (self.clock, CLOCKS, "--clock"),
            (self.sorted_by, SORTS.get(self.by, ()), "--sort"),
        ):
            if given not in known:
                raise UsageError(f"{option} {given!r}: there are {', '.join(known)}")
        if not 0.5 <= self.window_s <= 3600:
            raise UsageError(f"--window {self.window_s:g}: give 0.5 to 3600 seconds")

    @property
    def sorted_by(self) -> str:
        """The column that orders the rows."""
        return self.sort or SORTS.get(self.by, ("",))[0]

    def after(self, key: str) -> Choice:
        """What is chosen when ``key``, one character, was pressed."""
        return self._typed(key) if self.typing else self._told(key)

    def _typed(self, key: str) -> Choice:
        if key in "\r\n":
            return replace(self, typing=False)
        if key == "\x1b":
            return replace(self, typing=False, filter="")
        if key in "\x7f\b":
            return replace(self, filter=self.filter[:-1])
        return replace(self, filter=self.filter + key) if key.isprintable() else self

    def _told(self, key: str) -> Choice:
        tables = {"f": "function", "t": "transaction", "h": "thread"}
        if key in tables:
            return replace(self, by=tables[key], sort="")
        if key in "sS":
            return replace(
                self, sort=_next(SORTS[self.by], self.sorted_by, 1 if key == "s" else -1)
            )
        if key == "c":
            return replace(self, clock=_next(CLOCKS, self.clock, 1))
        if key in "+-":
            return replace(self, window_s=_window(self.window_s, up=key == "+"))
        if key == "\x1b":
            return replace(self, filter="")
        return {
            "a": replace(self, application=not self.application),
            " ": replace(self, paused=not self.paused),
            "/": replace(self, typing=True),
            "q": replace(self, over=True),
            "\x03": replace(self, over=True),
        }.get(key, self)


def _next(names: tuple[str, ...], now: str, step: int) -> str:
    return names[(names.index(now) + step) % len(names)]


def _window(now_s: float, *, up: bool) -> float:
    others = [w for w in WINDOWS_S if (w > now_s if up else w < now_s)]
    if not others:
        return now_s
    return float(min(others) if up else max(others))
