"""pytest: `pytest --flamespan` records the tests, each as a transaction.

Every run of pytest loads this where flamespan is installed: it loads no more until it is asked to.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ImportError:
    from flamespan.profiler.errors import UsageError

    raise UsageError("pytest is not installed; this is its plugin: pip install pytest") from None

if TYPE_CHECKING:
    from flamespan.profiler.active import Span

OP = "test"
_FOLDER = "flamespan_folder"
_FUNCTIONS = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, as ``pytest --help`` shows them."""
    group = parser.getgroup("flamespan", "recording tests with flamespan")
    group.addoption(
        "--flamespan",
        nargs="?",
        const="profiles",
        metavar="FOLDER",
        help="record the tests, each a transaction, into a new folder in FOLDER (profiles); "
        "name test files before it",
    )
    group.addoption(
        "--flamespan-rate", type=float, default=200.0, metavar="HZ", help="samples a second (200)"
    )
    group.addoption(
        "--flamespan-slowest", type=int, default=5, metavar="N", help="tests to show at the end (5)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record where that was asked for."""
    folder = config.getoption("flamespan")
    if folder is None:
        return
    worker = getattr(config, "workerinput", None)  # of pytest-xdist
    if worker is None:
        run = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        folder = os.path.join(os.path.abspath(folder), run)
    else:
        folder = worker[_FOLDER]
    config.pluginmanager.register(Recording(config, folder), "flamespan-recording")


class Recording:
    """A run's recording. With pytest-xdist each worker records, and the controller reports."""

    def __init__(self, config: pytest.Config, folder: str) -> None:
        self._config = config
        self._folder = folder
        self._profiler: Any = None
        self._test: Span | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where to record."""
        node.workerinput[_FOLDER] = self._folder

    def pytest_sessionstart(self) -> None:
        """Begin."""
        if self._config.pluginmanager.hasplugin("dsession"):
            return  # the workers do
        start = importlib.import_module("flamespan.profiler").start
        try:
            rate_hz = self._config.getoption("flamespan_rate")
            self._profiler = start(self._folder, rate_hz, service="pytest")
        except Exception as error:  # UsageError: what cannot be is said by the run itself
            raise pytest.UsageError(f"--flamespan: {error}") from None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A transaction around a test with its fixtures."""
        from flamespan.profiler import transaction  # noqa: PLC0415 - only where it is used

        with transaction(item.nodeid, OP) as self._test:
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """A span around the fixtures."""
        return (yield from _within("test.setup"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """A span around the test itself."""
        return (yield from _within("test.call"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """A span around the fixtures' ends."""
        return (yield from _within("test.teardown"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        """Note how the test ended."""
        report = yield
        test = self._test
        has_ended = report.when == "call" or report.outcome != "passed"
        if test is not None and has_ended and test.status != "error":  # as a subtest of it, too
            test.set_tag("outcome", _outcome(report))
            if report.failed:
                test.set_status("error")
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End, before the summary is written."""
        if self._profiler is not None:
            self._profiler.stop()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The slowest tests, and the functions that took their time."""
        terminalreporter.section("flamespan: slowest tests")
        try:
            slowest = self._config.getoption("flamespan_slowest")
            for line in _slowest(self._folder, slowest):
                terminalreporter.write_line(line)
        except Exception as error:  # a report of ours must not fail the run
            terminalreporter.write_line(f"nothing to show: {error}")
        terminalreporter.write_line(f"all of it: flamespan view {self._folder}")


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    return str(report.outcome)


def _within(op: str) -> Iterator[None]:
    from flamespan.profiler import span  # noqa: PLC0415 - only where it is used

    with span(op):
        return (yield)


def _slowest(folder: str, count: int) -> list[str]:
    """Two lines or more a test: how long it took, and the functions with most self time."""
    profile = importlib.import_module("flamespan.aggregator").load(folder)
    tests = profile.transactions(instances=True)
    tests = tests[tests["op"] == OP].sort_values("duration_ns", ascending=False, kind="stable")
    lines = []
    for test in tests.head(count).itertuples():
        lines.append(f"{test.duration_ns / 1e6:9.1f} ms  {test.transaction}")
        held = profile.transaction(test.transaction).functions(quick=True)
        for row in held[held["self_ns"] > 0].head(_FUNCTIONS).itertuples():
            place = f"{row.file}:{row.line}" if row.line else row.file
            lines.append(
                f"{row.self_ns / 1e6:15.1f} ms  {row.self_share:4.0%}  {row.function} ({place})"
            )
    return lines or ["no test was recorded"]
