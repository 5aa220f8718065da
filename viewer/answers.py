"""What the server answers the page: lists, recordings, samples, aggregates, comparisons.

    recordings                       JSON [{id, title, files, bytes, changed_ns}, …]
    state?r=ID                       JSON {"state": text that changes when the recording grows}
    recording?r=ID                   a container (``pagedata``); a large one without its samples
    samples?r=ID&t=ROW|all|none      a container of the samples of one transaction (or more)
    aggregate?r=ID&name&op&frames&clock&recursion&root&focus&hide   JSON (``aggregatedata``)
    comparison?base=ID&new=ID&measure&name&op&base_between&new_between   JSON (``comparisondata``)

Every answer is compressed by gzip. ``…_between`` are ``FROM~TO``, ns from the page's origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from flamespan.aggregator import exporting
from flamespan.aggregator.comparison import Comparison, compare
from flamespan.aggregator.profile import Profile
from flamespan.profiler.errors import UsageError
from flamespan.viewer import aggregatedata, comparisondata, words
from flamespan.viewer.html import pack
from flamespan.viewer.pagedata import origin_ns, page_data, sample_data
from flamespan.viewer.recordings import ALL, Recordings
from flamespan.viewer.sources import Links

WHOLE_SAMPLES = 1_000_000
"""A recording of more samples is sent without them: each transaction's when it is looked at."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers about ``recordings``; more than ``whole_samples`` are sent piece by piece.

    ``links`` says how the page opens code, and whether it holds source text.
    """

    recordings: Recordings
    links: Links | None = None
    whole_samples: int = WHOLE_SAMPLES

    def answer(self, path: str, query: str) -> bytes | None:
        """The answer to a request, None where there is no such thing.

        Raises FlamespanError where it cannot be answered, with words for the page.
        """
        given = dict(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))
        known = {
            "recordings": self._recordings,
            "state": self._state,
            "recording": self._recording,
            "samples": self._samples,
            "aggregate": self._aggregate,
            "comparison": self._comparison,
        }
        return known[path](given) if path in known else None

    def _recordings(self, given: dict[str, str]) -> bytes:
        del given
        return pack([recording.to_json() for recording in self.recordings.listed()])

    def _state(self, given: dict[str, str]) -> bytes:
        return pack({"state": self.recordings.state(given.get("r", ALL))})

    def _recording(self, given: dict[str, str]) -> bytes:
        profile = self._profile(given)
        whole = len(profile.rows) <= self.whole_samples
        return page_data(profile, links=self.links, samples=whole).packed()

    def _samples(self, given: dict[str, str]) -> bytes:
        profile, which = self._profile(given), given.get("t", "all")
        if which == "all":
            return sample_data(profile, profile).packed()
        if which == "none":
            return sample_data(profile, profile.outside_transactions()).packed()
        spans = profile.tables.spans
        row = int(which) if which.isdecimal() else -1
        if not 0 <= row < len(spans) or not spans.is_transaction[row]:
            raise UsageError(f"no transaction in row {which!r} of this recording")
        return sample_data(profile, profile.of_spans(spans.transaction == row)).packed()

    def _aggregate(self, given: dict[str, str]) -> bytes:
        profile = self._profile(given)
        asked = aggregatedata.chosen(iter((k, v) for k, v in given.items() if k != "r"))
        return pack(aggregatedata.aggregate(profile, asked))

    def _comparison(self, given: dict[str, str]) -> bytes:
        sides = [self._side(given, side) for side in ("base", "new")]
        found = compare(*sides, measure=given.get("measure", "self"))
        titles = [_titled(side, given.get(f"{name}_between")) for side, name in _sides(found)]
        return pack(comparisondata.comparison(found, (titles[0], titles[1])))

    def _side(self, given: dict[str, str], side: str) -> Profile:
        profile = self.recordings.profile(given.get(side, ALL))
        window = given.get(f"{side}_between")
        if window:
            start, _, end = window.partition("~")
            if not (start.isdecimal() and end.isdecimal()):
                raise UsageError(f"{side}_between={window}: write FROM~TO in nanoseconds")
            origin = origin_ns(profile)
            profile = profile.between(origin + int(start), origin + int(end))
        if given.get("name"):
            profile = aggregatedata.named(profile, given["name"], given.get("op", ""))
        return profile

    def _profile(self, given: dict[str, str]) -> Profile:
        return self.recordings.profile(given.get("r", ALL))


def _sides(found: Comparison) -> list[tuple[Profile, str]]:
    return [(found.base, "base"), (found.new, "new")]


def _titled(side: Profile, window: str | None) -> str:
    """A side's name, with the stretch of time that is compared of it."""
    title = exporting.title(side)
    if not window:
        return title
    start, end = (words.duration(int(edge)) for edge in window.split("~"))
    return f"{title}, {start} to {end}"
