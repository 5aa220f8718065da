"""Profile: samples with everything they refer to, as chainable views and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator import (
    calltree,
    gaps,
    quality,
    select,
    spantables,
    tables,
    transform,
)
from flamespan.aggregator.data import Origin, Process, Rows, Tables
from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import State

if TYPE_CHECKING:
    import pandas as pd

CLOCKS = ("wall", "cpu", "wait")
RECURSION = ("direct", "cycles")
_AT_WORK = frozenset({State.UNKNOWN, State.RUNNING, State.GIL_WAIT, State.GC})
_ALL = frozenset(State)


@dataclass(frozen=True, eq=False)
class Stacks:
    """A view of the recorded stacks: ``place[i]`` is where node ``i`` of Tables.tree went."""

    tree: StackTree
    place: Ids

    def then(self, tree: StackTree, place: Ids) -> Stacks:
        """This view followed by another one of its tree."""
        return Stacks(tree, place[self.place])


@dataclass(frozen=True, eq=False)
class Profile:
    """What was recorded, or a view of it. Immutable: every view is a new Profile.

    ``rows`` are the samples of the view with their measured clocks, whatever their state;
    ``selected`` those in the chosen states. ``side`` and ``recursion`` are switches, applied in
    this order whatever the order of the calls: ``counted`` are the stacks of one side, that a
    function's total is counted on; ``shown`` the same with recursion collapsed, that trees and
    self times use. So collapsing recursion never changes a total. ``span_mask`` says which
    spans are in view.
    """

    tables: Tables
    rows: Rows
    base: Stacks
    span_mask: Bools
    weight_clock: str = "wall"
    chosen_states: frozenset[State] | None = None
    side: str | None = None
    recursion: str | None = None

    @classmethod
    def of(cls, tables: Tables, rows: Rows) -> Profile:
        """The profile of everything in ``tables`` and ``rows``."""
        stacks = Stacks(tables.tree, np.arange(len(tables.tree), dtype=np.int32))
        return cls(tables, rows, stacks, np.ones(len(tables.spans), bool))

    # --- what is in it -------------------------------------------------------------------

    @property
    def processes(self) -> list[Process]:
        """The recorded processes."""
        return self.tables.processes

    @cached_property
    def selected(self) -> Rows:
        """Rows in the chosen states: by default all but idle and awaiting (wall clock)."""
        return self.rows.pick(self._in_states)

    @cached_property
    def _in_states(self) -> Bools:
        states = self.chosen_states
        if states is None:
            # Only the wall clock needs the choice: a thread that waits uses no CPU, and for the
            # waiting clock waiting is the point.
            states = _AT_WORK if self.weight_clock == "wall" else _ALL
        return np.isin(self.rows.state, np.array(sorted(states), np.uint8))

    @cached_property
    def weights_ns(self) -> Ints:
        """The clock's nanoseconds of each selected row."""
        return self._weights(self.selected)

    def _weights(self, rows: Rows) -> Ints:
        if self.weight_clock == "cpu":
            return rows.cpu_ns
        if self.weight_clock == "wait":
            return rows.wait_ns
        return rows.wall_ns

    @cached_property
    def stack_weights(self) -> tuple[Ints, Ints]:
        """Nanoseconds and samples of every recorded stack: the one pass over the samples."""
        size = len(self.tables.tree)
        weights = np.zeros(size, np.int64)
        np.add.at(weights, self.selected.stack, self.weights_ns)
        samples = np.zeros(size, np.int64)
        np.add.at(samples, self.selected.stack, self.selected.samples)
        return weights, samples

    @cached_property
    def total_ns(self) -> int:
        """Sum of the weights; over several threads these are thread-nanoseconds."""
        return int(self.weights_ns.sum())

    @cached_property
    def excluded_ns(self) -> int:
        """The clock's nanoseconds of rows that are not in the chosen states."""
        return int(self._weights(self.rows).sum()) - self.total_ns

    @cached_property
    def rehomed_ns(self) -> int:
        """How much self time the application or system view moved to another frame."""
        return int(self.stack_weights[0][self._one_sided[1]].sum())

    @property
    def unobserved_ns(self) -> int:
        """Time in which the processes cannot have run, charged to nobody."""
        return sum(process.unobserved_ns for process in self.processes)

    @cached_property
    def duration_ns(self) -> int:
        """From the first to the last moment that is in view (wall clock, not thread-seconds)."""
        if not len(self.rows):
            return 0
        begin = (self.rows.time_ns - self.rows.wall_ns).min()
        return int(self.rows.time_ns.max() - begin)

    # --- views ---------------------------------------------------------------------------

    def transaction(self, which: str | int) -> Profile:
        """Samples of transactions with this name, id (int or "#12") or glob ("GET *").

        Each sample counts only from its transaction's start. UsageError where none matches.
        """
        spans = self.tables.spans
        roots = select.transactions(spans, self.span_mask, which)
        mask = roots[spans.transaction] & self.span_mask
        return self._of_spans(mask, spans.start_ns[spans.transaction])

    def span(self, which: str) -> Profile:
        """Samples in spans whose op or description is ``which`` (or matches the glob).

        Spans inside such a span belong to it. UsageError where none matches.
        """
        spans = self.tables.spans
        mask, outermost = select.spans(spans, self.span_mask, which)
        return self._of_spans(mask, spans.start_ns[outermost])

    def _of_spans(self, mask: Bools, start_ns: Ints) -> Profile:
        inside = (self.rows.span >= 0) & np.r_[mask, False][self.rows.span]
        rows = self.rows.pick(inside)
        return replace(self, rows=rows.since(start_ns[rows.span]), span_mask=mask)

    def outside_transactions(self) -> Profile:
        """Samples that belong to no transaction."""
        none = np.zeros(len(self.tables.spans), bool)
        return replace(self, rows=self.rows.pick(self.rows.span < 0), span_mask=none)

    def in_transactions(self) -> Profile:
        """Samples of any transaction, each counted from its transaction's start."""
        spans = self.tables.spans
        return self._of_spans(self.span_mask, spans.start_ns[spans.transaction])

    def thread(self, which: str | int) -> Profile:
        """Samples of threads with this name, glob or row. UsageError where none matches."""
        wanted = select.threads(self.tables.threads, which)
        return replace(self, rows=self.rows.pick(wanted[self.rows.thread]))

    def process(self, pid: int) -> Profile:
        """Samples of one recorded process. UsageError where no process has this id."""
        wanted = select.process(self.processes, pid)
        of_thread = np.array([row.process == wanted for row in self.tables.threads], bool)
        spans = self.span_mask & (self.tables.spans.process == wanted)
        return replace(self, rows=self.rows.pick(of_thread[self.rows.thread]), span_mask=spans)

    def between(self, start_ns: int, end_ns: int) -> Profile:
        """What lies in ``(start_ns, end_ns]`` (unix time); samples across an edge are cut there.

        Windows that touch add up exactly to the window that spans them.
        """
        if start_ns > end_ns:
            raise UsageError(f"a window that ends ({end_ns}) before it starts ({start_ns})")
        rows = self.rows.single()
        touched = (rows.time_ns > start_ns) & (rows.time_ns - rows.wall_ns < end_ns)
        spans = self.tables.spans
        mask = self.span_mask & (spans.end_ns > start_ns) & (spans.start_ns < end_ns)
        return replace(self, rows=rows.pick(touched).within(start_ns, end_ns), span_mask=mask)

    def states(self, *names: str) -> Profile:
        """Samples in these states: unknown, running, gil_wait, idle, gc, awaiting, loop_wait."""
        return replace(self, chosen_states=frozenset(select.state(name) for name in names))

    def all_states(self) -> Profile:
        """Samples in every state, idle ones too."""
        return replace(self, chosen_states=_ALL)

    def clock(self, name: str) -> Profile:
        """Weigh by ``wall`` time, ``cpu`` time or ``wait`` (wall minus CPU).

        The wall clock leaves out idle and awaiting threads unless ``states`` says otherwise;
        the other two take every state.
        """
        if name not in CLOCKS:
            raise UsageError(f"no clock {name!r}; there are {', '.join(CLOCKS)}")
        return replace(self, weight_clock=name)

    def application_frames(self) -> Profile:
        """Without system frames; their self time goes to the nearest application caller."""
        return replace(self, side="application")

    def system_frames(self) -> Profile:
        """Without application frames; their self time goes to the nearest system caller."""
        return replace(self, side="system")

    def collapse_recursion(self, kind: str = "direct") -> Profile:
        """Fold repeats: ``direct`` (a;a;a) or also ``cycles`` (a;b;a). Totals do not change."""
        if kind not in RECURSION:
            raise UsageError(f"no way to collapse {kind!r}; there are {', '.join(RECURSION)}")
        return replace(self, recursion=kind)

    @cached_property
    def _one_sided(self) -> tuple[Stacks, Bools]:
        """The stacks of the chosen side, and which recorded stacks lost their leaf to it."""
        t, base = self.tables, self.base
        if self.side is None:
            return base, np.zeros(len(base.place), bool)
        application = t.function_origin[t.frame_function] == Origin.APPLICATION
        wanted = application if self.side == "application" else ~application
        stand_in = t.system_frame if self.side == "application" else t.application_frame
        tree, place, moved = transform.keep_side(base.tree, wanted, stand_in)
        return base.then(tree, place), moved[base.place]

    @property
    def counted(self) -> Stacks:
        """The stacks that totals are counted on."""
        return self._one_sided[0]

    @cached_property
    def shown(self) -> Stacks:
        """The stacks that trees and self times use."""
        if self.recursion is None:
            return self.counted
        direct = self.recursion == "direct"
        fold = transform.collapse_direct if direct else transform.collapse_cycles
        return self.counted.then(*fold(self.counted.tree, self.tables.frame_function))

    # --- tables --------------------------------------------------------------------------

    def functions(self) -> pd.DataFrame:
        """Self and total time per function; see ``tables.functions``."""
        return tables.functions(self)

    def lines(self) -> pd.DataFrame:
        """Self and total time per line; see ``tables.lines``."""
        return tables.lines(self)

    def modules(self) -> pd.DataFrame:
        """Self and total time per module; see ``tables.modules``."""
        return tables.modules(self)

    def threads(self) -> pd.DataFrame:
        """What each thread did; see ``tables.threads``."""
        return tables.threads(self)

    def transactions(self, *, instances: bool = False) -> pd.DataFrame:
        """Transactions by name, or each one; see ``spantables.transactions``."""
        return spantables.transactions(self, instances=instances)

    def spans(self, *, instances: bool = False) -> pd.DataFrame:
        """Spans by op and description, or each one; see ``spantables.spans``."""
        return spantables.spans(self, instances=instances)

    def gaps(self, min_ns: int = 100_000_000, min_share: float = 0.01) -> pd.DataFrame:
        """Stretches that no span covers and who filled them; see ``gaps.gaps``."""
        return gaps.gaps(self, min_ns=min_ns, min_share=min_share)

    def op_breakdown(self) -> pd.DataFrame:
        """Exclusive time per span op; see ``spantables.op_breakdown``."""
        return spantables.op_breakdown(self)

    def tree(self, direction: str = "top-down") -> calltree.CallTree:
        """The call tree by function, ``top-down`` or ``bottom-up``."""
        makers = {"top-down": calltree.top_down, "bottom-up": calltree.bottom_up}
        if direction not in makers:
            raise UsageError(f"no direction {direction!r}; there are {', '.join(makers)}")
        return makers[direction](self.tables, self.shown.tree, *self.shown_weights())

    def shown_weights(self) -> tuple[Ints, Ints]:
        """Nanoseconds and samples of each node of ``shown.tree``, as leaf of a stack."""
        weights = np.zeros(len(self.shown.tree), np.int64)
        samples = np.zeros(len(self.shown.tree), np.int64)
        np.add.at(weights, self.shown.place, self.stack_weights[0])
        np.add.at(samples, self.shown.place, self.stack_weights[1])
        return weights, samples

    def folded(self) -> dict[str, int]:
        """``{"a;b;c": nanoseconds}`` of the shown stacks by function, where there is weight.

        A function is written as ``name (file:first line)``, its name alone where it has no file.
        """
        return tables.folded(self)

    def info(self) -> dict[str, object]:
        """What the recording is and how good it is; see ``quality.info``."""
        return quality.info(self)
