"""Profile: samples with everything they refer to, as chainable views and tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator import (
    behind,
    calls,
    calltree,
    gaps,
    gil,
    glimpse,
    quality,
    select,
    spantables,
    spread,
    tables,
    threadtables,
    transform,
    waiting,
)
from flamespan.aggregator.data import Rows, Tables
from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree
from flamespan.aggregator.units import Units, units_of
from flamespan.aggregator.view import ALL_STATES, CLOCKS, RECURSION, View
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLOCKS", "RECURSION", "Profile"]


@dataclass(frozen=True, eq=False)
class Profile(View):
    """What was recorded, or a view of it. Immutable: every view is a new Profile."""

    @classmethod
    def of(cls, tables: Tables, rows: Rows) -> Profile:
        """The profile of everything in ``tables`` and ``rows``."""
        return cls(tables, rows, np.ones(len(tables.spans), bool), rows)

    @cached_property
    def units(self) -> Units:
        """What intervals count as independent: transactions, else blocks of ten seconds."""
        return units_of(self)

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

    def tag(self, key: str, value: str | None = None) -> Profile:
        """Samples in transactions and spans with this tag, and in the spans inside them.

        ``value`` is exact or a glob; None takes every value. Each sample counts from the start
        of the outermost such span. UsageError, with the nearest, where none matches.
        """
        spans = self.tables.spans
        mask, outermost = select.tagged(spans, self.span_mask, key, value)
        return self._of_spans(mask, spans.start_ns[outermost])

    def of_spans(self, mask: Bools) -> Profile:
        """Samples directly in the spans (rows of ``Tables.spans``) where ``mask`` holds.

        Each counts from its transaction's start.
        """
        spans = self.tables.spans
        return self._of_spans(mask & self.span_mask, spans.start_ns[spans.transaction])

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
        low, high = self.window or (start_ns, end_ns)
        return replace(
            self,
            rows=rows.pick(touched).within(start_ns, end_ns),
            span_mask=mask,
            window=(max(low, start_ns), max(low, start_ns, min(high, end_ns))),
        )

    def states(self, *names: str) -> Profile:
        """Samples in these states: unknown, running, gil_wait, idle, gc, awaiting, loop_wait."""
        return replace(self, chosen_states=frozenset(select.state(name) for name in names))

    def all_states(self) -> Profile:
        """Samples in every state, idle ones too."""
        return replace(self, chosen_states=ALL_STATES)

    def clock(self, name: str) -> Profile:
        """Weigh by ``wall`` time, ``cpu`` time, ``gil`` or ``wait`` (wall minus CPU).

        ``gil`` is the wall time of samples whose thread held the GIL; only the native engine
        can tell (``caveats`` says where no sample does). The wall clock leaves out idle threads
        and tasks that await or wait for their loop, unless ``states`` says otherwise; the other
        three take every state.
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

    def focus(self, function: str, *, callers: bool = False) -> Profile:
        """Samples with this function on their stack, the stacks from its outermost call on.

        What is above that call is cut off (``callers=True`` keeps it). The view's total is the
        function's total. The function is looked for on the recorded stacks, whichever side is
        shown: a name, a label ``name (file:line)``, a glob or a regular expression.
        UsageError, with the nearest names, where none matches.
        """
        return self.focus_on(select.functions(self.tables, function), callers=callers)

    def focus_on(self, functions: Bools, *, callers: bool = False) -> Profile:
        """As ``focus``, on functions given as a mask over ``Tables.function_name``."""
        wanted = functions[self.tables.frame_function]
        outer = transform.outermost_of(self.tables.tree, wanted)
        view = behind.narrowed(self, (outer >= 0)[self.rows.stack])
        return view if callers else view._on(*transform.reroot(self.tables.tree, outer))

    def hide(self, what: str | re.Pattern[str]) -> Profile:
        """Without some functions; their self time goes to the nearest caller that is left.

        ``what`` is a function, module, package, file, a glob of these, or a regular expression
        that is found in ``module.name`` or the file. A stack of which nothing is left is
        ``<hidden>``. UsageError, with the nearest names, where none matches.
        """
        return self.without(select.functions(self.tables, what, modules=True))

    def without(self, functions: Bools) -> Profile:
        """As ``hide``, of functions given as a mask over ``Tables.function_name``."""
        extended, frame = self.tables.with_hidden()
        shown = ~functions[self.tables.frame_function]
        tree, place, _ = transform.keep_side(extended.tree, shown, frame)
        return replace(self, tables=extended)._on(tree, place)

    def containing(self, function: str) -> Profile:
        """Samples whose stack holds this function (as ``focus`` finds it), stacks left whole.

        Transactions in view are those with such a sample: this is what lies behind a function's
        row, ``containing("f").transactions(instances=True)`` lists where it ran.
        """
        return behind.with_functions(self, select.functions(self.tables, function))

    def behind(self, by: str, row: Mapping[str, Any] | pd.Series, of: str | None = None) -> Profile:
        """The samples behind one row of a table, for any question about them.

        ``by`` names the table as ``flamespan report --by`` does (function, line, module, file,
        path, callers, callees, per-transaction, thread, process, transaction, span, op, gap,
        measurement), ``row`` is one of its rows, ``of`` the function of callers and callees:
        ``profile.behind("function", profile.functions().iloc[0])``. Its ``samples()`` are the
        samples, its ``transactions(instances=True)`` the transactions. UsageError for an unknown
        table or a row of another one.
        """
        return behind.behind(self, by, row, of)

    def _on(self, tree: StackTree, place: Ids) -> Profile:
        """The same samples on other stacks."""
        rows = self.rows.on(place[self.rows.stack])
        recorded = self.recorded.on(place[self.recorded.stack])
        tables = replace(self.tables, tree=tree)
        return replace(self, tables=tables, rows=rows, recorded=recorded)

    def collapse_recursion(self, kind: str = "direct") -> Profile:
        """Fold repeats: ``direct`` (a;a;a) or also ``cycles`` (a;b;a). Totals do not change."""
        if kind not in RECURSION:
            raise UsageError(f"no way to collapse {kind!r}; there are {', '.join(RECURSION)}")
        return replace(self, recursion=kind)

    # --- tables --------------------------------------------------------------------------

    def functions(self, *, quick: bool = False) -> pd.DataFrame:
        """Self and total time per function; see ``tables.functions``."""
        return tables.functions(self, quick=quick)

    def lines(self, *, quick: bool = False) -> pd.DataFrame:
        """Self and total time per line; see ``tables.lines``."""
        return tables.lines(self, quick=quick)

    def modules(self, *, quick: bool = False) -> pd.DataFrame:
        """Self and total time per module; see ``tables.modules``."""
        return tables.modules(self, quick=quick)

    def files(self, *, quick: bool = False) -> pd.DataFrame:
        """Self and total time per file; see ``tables.files``."""
        return tables.files(self, quick=quick)

    def call_paths(self) -> pd.DataFrame:
        """Self and total time per call path; see ``calls.call_paths``."""
        return calls.call_paths(self)

    def callers(self, function: str) -> pd.DataFrame:
        """Who calls a function; see ``calls.callers``. UsageError where there is none such."""
        return calls.callers(self, function)

    def callees(self, function: str) -> pd.DataFrame:
        """What a function calls; see ``calls.callees``. UsageError where there is none such."""
        return calls.callees(self, function)

    def sandwich(self, function: str) -> calls.Sandwich:
        """Trees of a function's callers and callees; see ``calls.Sandwich``."""
        return calls.sandwich(self, function)

    def functions_per_transaction(self, *, measure: str = "total") -> pd.DataFrame:
        """A function's time per transaction; see ``spread.functions_per_transaction``."""
        return spread.functions_per_transaction(self, measure=measure)

    def samples(self) -> pd.DataFrame:
        """Each sample; see ``behind.samples``."""
        return behind.samples(self)

    def threads(self) -> pd.DataFrame:
        """What each thread did; see ``threadtables.threads``."""
        return threadtables.threads(self)

    def process_table(self) -> pd.DataFrame:
        """What each process did; see ``threadtables.processes``."""
        return threadtables.processes(self)

    def measurements(self, *, instances: bool = False) -> pd.DataFrame:
        """What was measured in transactions and spans; see ``spread.measurements``."""
        return spread.measurements(self, instances=instances)

    def transactions(self, *, instances: bool = False) -> pd.DataFrame:
        """Transactions by name, or each one; see ``spantables.transactions``."""
        return spantables.transactions(self, instances=instances)

    def spans(self, *, instances: bool = False) -> pd.DataFrame:
        """Spans by op and description, or each one; see ``spantables.spans``."""
        return spantables.spans(self, instances=instances)

    def gaps(self, min_ns: int = 100_000_000, min_share: float = 0.01) -> pd.DataFrame:
        """Stretches that no span covers and who filled them; see ``gaps.gaps``."""
        return gaps.gaps(self, min_ns=min_ns, min_share=min_share)

    def waiting(self, by: str = "transaction", *, instances: bool = False) -> pd.DataFrame:
        """What wall time was spent on, waits told apart; see ``waiting.waiting``."""
        return waiting.waiting(self, by, instances=instances)

    def gil_holders(self, by: str = "function", *, instances: bool = False) -> pd.DataFrame:
        """Who waited for the GIL and which functions had it then; see ``gil.holders``."""
        return gil.holders(self, by, instances=instances)

    def gil_hogs(self, by: str = "function") -> pd.DataFrame:
        """Who held the GIL while others waited, and how long; see ``gil.hogs``."""
        return gil.hogs(self, by)

    def op_breakdown(self) -> pd.DataFrame:
        """Exclusive time per span op; see ``spantables.op_breakdown``."""
        return spantables.op_breakdown(self)

    def tree(self, direction: str = "top-down") -> calltree.CallTree:
        """The call tree by function, ``top-down`` or ``bottom-up``."""
        makers = {"top-down": calltree.top_down, "bottom-up": calltree.bottom_up}
        if direction not in makers:
            raise UsageError(f"no direction {direction!r}; there are {', '.join(makers)}")
        return makers[direction](self.tables, self.shown.tree, *self.shown_weights())

    def folded(self) -> dict[str, int]:
        """``{"a;b;c": nanoseconds}`` of the shown stacks by function, where there is weight.

        A function is written as ``name (file:first line)``, its name alone where it has no file.
        """
        return tables.folded(self)

    def _repr_html_(self) -> str:
        """What notebooks show of a profile: how much it holds, and its first functions."""
        return glimpse.as_html(self)

    def info(self) -> dict[str, object]:
        """What the recording is and how good it is; see ``quality.info``."""
        return quality.info(self)
