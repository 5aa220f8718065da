"""How far what a profiler saw is from the truth, measured against ideal random sampling."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from truth.runner import Outcome

Shares = npt.NDArray[np.float64]

DRAWS = 2000
JUDGED = 5
"""A phase that should have fewer samples than this, over all runs, is not judged by standard
errors: they say nothing of so few."""


@dataclass(frozen=True)
class Figures:
    """One tool at one rate, by one clock: means over its runs, distances in percent.

    ``worst`` is the phase that is off by most standard errors in all runs taken together,
    ``off`` by how many.
    """

    samples: float
    distance: float
    ideal: float
    worst: str
    off: float

    @property
    def ratio(self) -> float:
        return self.distance / self.ideal if self.ideal else float("nan")


def distance(ours: Shares, true: Shares) -> float:
    """Total variation distance: the part of the time that is booked to the wrong phase."""
    return float(np.abs(ours - true).sum() / 2)


def ideal(true: Shares, samples: float, random: np.random.Generator) -> float:
    """The distance to expect of so many samples, each at a moment chosen at random."""
    count = max(1, round(samples))
    draws = random.multinomial(count, true, size=DRAWS) / count
    return float(np.abs(draws - true).sum(axis=1).mean() / 2)


def samples_of(outcome: Outcome, clock: str, only_cpu: bool) -> float:
    """Samples that tell of this clock: of CPU time, those that met the thread running.

    A tool that samples by wall time meets it as often as the program's CPU share says; one that
    leaves idle samples out (``only_cpu``) has counted just those.
    """
    count: int = outcome.seen["samples"]
    if clock == "wall" or only_cpu:
        return count
    return count * sum(outcome.truth["cpu"].values()) / sum(outcome.truth["wall"].values())


def compare(outcomes: Sequence[Outcome], clock: str, only_cpu: bool) -> Figures | None:
    """The figures of these runs; None where a run saw nothing."""
    random = np.random.default_rng(1)
    names = list(outcomes[0].truth[clock])
    distances, ideals, counts = [], [], []
    ours_total, true_total = np.zeros(len(names)), np.zeros(len(names))
    for outcome in outcomes:
        ours = np.array([outcome.seen[clock].get(name, 0) for name in names], float)
        true = np.array([outcome.truth[clock][name] for name in names], float)
        if not ours.sum():
            return None
        ours, true = ours / ours.sum(), true / true.sum()
        count = samples_of(outcome, clock, only_cpu)
        distances.append(distance(ours, true))
        ideals.append(ideal(true, count, random))
        counts.append(count)
        ours_total += ours * count
        true_total += true * count
    worst, off = _worst(names, ours_total, true_total)
    mean = statistics.fmean
    return Figures(mean(counts), 100 * mean(distances), 100 * mean(ideals), worst, off)


def _worst(names: list[str], ours: Shares, true: Shares) -> tuple[str, float]:
    """The phase most standard errors away; ``ours`` and ``true`` are in samples."""
    count = true.sum()
    errors = np.sqrt(np.maximum(true * (1 - true / count), 1e-12))
    off = np.where(true >= JUDGED, (ours - true) / errors, 0.0)
    at = int(np.abs(off).argmax())
    return names[at], float(off[at])
