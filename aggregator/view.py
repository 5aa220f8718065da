"""What a view of a profile consists of, and what follows from it: weights, sums, shown stacks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flamespan.aggregator import outages, transform
from flamespan.aggregator.data import Origin, Process, Rows, Tables
from flamespan.aggregator.outages import Window
from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree
from flamespan.profiler.model import Flag, State

CLOCKS = ("wall", "cpu", "gil", "wait")
RECURSION = ("direct", "cycles")
AT_WORK = frozenset({State.UNKNOWN, State.RUNNING, State.GIL_WAIT, State.GC})
ALL_STATES = frozenset(State)


@dataclass(frozen=True, eq=False)
class Stacks:
    """A view of the recorded stacks: ``place[i]`` is where node ``i`` of Tables.tree went."""

    tree: StackTree
    place: Ids

    def then(self, tree: StackTree, place: Ids) -> Stacks:
        """This view followed by another one of its tree."""
        return Stacks(tree, place[self.place])


@dataclass(frozen=True, eq=False)
class View:
    """Samples, what they refer to, and the switches that say how to look at them.

    ``rows`` are the samples of the view with their measured clocks, whatever their state;
    ``selected`` those in the chosen states. ``side`` and ``recursion`` are switches, applied in
    this order whatever the order of the calls: ``counted`` are the stacks of one side, that a
    function's total is counted on; ``shown`` the same with recursion collapsed, that trees and
    self times use. So collapsing recursion never changes a total. ``span_mask`` says which
    spans are in view. ``recorded`` are all rows: whoever held the GIL need not be in view.
    ``window`` is the time that ``between`` chose; None: all of it.
    """

    tables: Tables
    rows: Rows
    span_mask: Bools
    recorded: Rows
    weight_clock: str = "wall"
    chosen_states: frozenset[State] | None = None
    side: str | None = None
    recursion: str | None = None
    window: Window | None = None

    @property
    def processes(self) -> list[Process]:
        """The recorded processes."""
        return self.tables.processes

    @cached_property
    def selected(self) -> Rows:
        """Rows in the chosen states: by default all but those that wait outside the GIL's queue."""
        return self.rows.pick(self.in_states)

    @cached_property
    def in_states(self) -> Bools:
        """Which of ``rows`` are in the chosen states."""
        states = self.chosen_states
        if states is None:
            # Only the wall clock needs the choice: a thread that waits uses no CPU and holds no
            # GIL, and for the waiting clock waiting is the point.
            states = AT_WORK if self.weight_clock == "wall" else ALL_STATES
        return self.rows.in_states(*states)

    @cached_property
    def weights_ns(self) -> Ints:
        """The clock's nanoseconds of each selected row."""
        return self._weights(self.selected)

    def _weights(self, rows: Rows) -> Ints:
        if self.weight_clock == "cpu":
            return rows.cpu_ns
        if self.weight_clock == "gil":
            held: Ints = np.where(rows.flags & Flag.HOLDS_GIL > 0, rows.wall_ns, 0)
            return held
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
        """Time in view in which the processes cannot have run, charged to nobody."""
        return sum(outages.unobserved_ns(process, self.window) for process in self.processes)

    @cached_property
    def duration_ns(self) -> int:
        """From the first to the last moment that is in view (wall clock, not thread-seconds)."""
        if not len(self.rows):
            return 0
        begin = (self.rows.time_ns - self.rows.wall_ns).min()
        return int(self.rows.time_ns.max() - begin)

    @cached_property
    def caveats(self) -> list[str]:
        """What one must know about this view to read its numbers rightly, a sentence each."""
        said = []
        holds = self.rows.flags & Flag.HOLDS_GIL > 0
        if self.weight_clock == "gil" and len(self.rows) and not holds.any():
            said.append(
                "no sample here says that its thread held the GIL: the gil clock is 0 everywhere "
                "(only the native engine can tell)"
            )
        if self.tables.function_beyond_self_ns is not None:
            said.append(
                "cProfile keeps no stacks: total time is right by function; by line, module, file "
                "and path it is self time"
            )
        if self.rows.summed is not None and (self.selected.span < 0).any():
            said.append(
                "this recording is large and was summed as it was read: how sure shares are is "
                "told of transactions only (of everything with --keep-samples)"
            )
        return said

    @cached_property
    def _one_sided(self) -> tuple[Stacks, Bools]:
        """The stacks of the chosen side, and which recorded stacks lost their leaf to it."""
        t = self.tables
        if self.side is None:
            everywhere = np.arange(len(t.tree), dtype=np.int32)
            return Stacks(t.tree, everywhere), np.zeros(len(t.tree), bool)
        application = t.function_origin[t.frame_function] == Origin.APPLICATION
        wanted = application if self.side == "application" else ~application
        stand_in = t.system_frame if self.side == "application" else t.application_frame
        tree, place, moved = transform.keep_side(t.tree, wanted, stand_in)
        return Stacks(tree, place), moved

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

    def shown_weights(self) -> tuple[Ints, Ints]:
        """Nanoseconds and samples of each node of ``shown.tree``, as leaf of a stack."""
        weights = np.zeros(len(self.shown.tree), np.int64)
        samples = np.zeros(len(self.shown.tree), np.int64)
        np.add.at(weights, self.shown.place, self.stack_weights[0])
        np.add.at(samples, self.shown.place, self.stack_weights[1])
        return weights, samples
