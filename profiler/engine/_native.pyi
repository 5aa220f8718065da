"""The C core's contract; ``native/*.c`` keep it. ``native.py`` is its only user."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from types import CodeType, TracebackType
from typing import Any, Self, TypeVar

from flamespan.profiler.active import Span
from flamespan.profiler.model import SpanEnd, SpanStart

F = TypeVar("F", bound=Callable[..., Any])

class SpanCore:
    """The data of a span. One that is made by hand is in no log."""

    parent: Any
    end_ns: int
    status: str
    name: str
    op: str
    description: str
    tags: tuple[tuple[str, str], ...] | None
    renamed: bool

    def __new__(cls, mark: int, parent: SpanCore | None = None) -> Self: ...
    @property
    def id(self) -> int:
        """What samples carry; 0: it is not recorded."""

    @property
    def is_root(self) -> bool:
        """A transaction. ``parent`` of one is what is active again when it is over."""

    @property
    def log(self) -> Any: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def thread_ident(self) -> int: ...

class SpanQueue:
    """What happened to spans since last asked; takes from any thread that holds the GIL.

    ``open`` and ``most_open`` count spans that are open, ``transactions`` those without a parent,
    ``dropped`` what there was no room for, ``unchosen`` transactions that were left out. With
    ``ended`` set ends of spans are forgotten, since nobody takes them.
    """

    max_events: int
    max_open: int
    max_text: int
    dropped: int
    ended: bool

    @property
    def open(self) -> int: ...
    @property
    def most_open(self) -> int: ...
    @property
    def unchosen(self) -> int: ...
    @property
    def transactions(self) -> int: ...
    def put(self, event: object, /) -> None:
        """Queue an event that is no span."""

    def has_room(self) -> bool:
        """Whether another can be taken; else it is counted as dropped."""

    def take(self, start: type[SpanStart], end: type[SpanEnd], whole: bool, /) -> tuple[Any, ...]:
        """What a ``spancolumns.Taken`` consists of; 64-bit numbers are bytes."""

    def forget(self) -> None:
        """Start afresh in a child of fork."""

    def wait_open(self) -> None:
        """Wait, without the GIL, until a transaction is open or ``interrupt`` is called."""

    def interrupt(self) -> None:
        """Make the wait that is under way, or else the next one, return."""

class Scope:
    """What ``transaction()`` and ``span()`` return: a context manager and a decorator."""

    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...
    def __call__(self, function: F) -> F: ...
    def begin(self) -> Span:
        """Open a span without making it the active one (generators do that step by step)."""

    def again(self) -> Scope:
        """A fresh scope of the same kind, for one call of a decorated function."""

def span(op: str, description: str = "") -> Scope: ...
def transaction(name: str, op: str = "", tags: Mapping[str, object] | None = None) -> Scope: ...
def activate(span: SpanCore, /) -> Any:
    """Make ``span`` the active one here; give the token back to ``deactivate``."""

def deactivate(span: SpanCore, token: Any, /) -> None:
    """Undo ``activate``; in another context or out of order the next open span takes over."""

def finish(span: SpanCore, error: BaseException | None, /) -> None:
    """Close ``span``; an exception makes its status "error" unless it was set."""

def reopen(span: SpanCore, /) -> None:
    """After a fork, in the child: queue an open span as if it had just been opened."""

def record_into(
    log: SpanQueue | None,
    entered: Callable[[Any], None] | None,
    left: Callable[[Any], None] | None,
    rate: float,
    decide: Callable[[str, str, Any], bool] | None,
    /,
) -> None:
    """Where spans go that are opened from now on; None: nowhere.

    ``entered(span)`` is told of a span that becomes active in this thread, ``left(active)`` of
    what is active after one was left. ``rate`` is the share of transactions that are recorded,
    unless ``decide(name, op, tags)`` is there to say it.
    """

def bind(
    span_type: type[SpanCore],
    nothing: SpanCore,
    variable: ContextVar[Any],
    wrap: Callable[..., Any],
    text: Callable[[object], str],
    tag: Callable[[Any, Any], None],
    complain: Callable[[str], None],
    /,
) -> None:
    """Take what is needed of the rest, once.

    The class of spans, what is opened while nothing records, where the active span lies;
    ``wrap(function, scope)`` for decorators, a text of anything, setting tags, and what raises
    for a decorator without brackets.
    """

Opening = tuple[str, str, str]
Outcome = tuple[str | None, tuple[tuple[str, str], ...], str]

class Request:
    """One request as a transaction, from its first line of code until its body has been sent.

    ``route`` (a template, as "/users/{id}") and ``code`` may be set at any time before the end;
    ``done`` says that it is over. ``ask`` is called with environ or scope where the route is not
    known: as an answer begins (WSGI), and at the end. ``path`` is for a function that chooses
    transactions only.
    """

    route: str | None
    code: int
    ask: Callable[[Any], str | None] | None

    def __new__(cls, method: object, path: object = None) -> Self: ...
    @property
    def done(self) -> bool: ...
    @property
    def span(self) -> Span: ...
    def finish(self, error: BaseException | None = None, status: str = "", /) -> None:
        """It is over: say what it was. A second call does nothing."""

    def leave(self) -> None:
        """Let the context that runs be as it was before, if this is over."""

class AsgiExchange(Request):
    """A request or websocket, and what passes between server and application for it."""

    def send(self, message: MutableMapping[str, Any], /) -> Awaitable[None]: ...
    def receive(self) -> Awaitable[MutableMapping[str, Any]]: ...
    def end(self, error: BaseException | None = None, /) -> None:
        """The application has returned, or raised this error."""

class WsgiExchange(Request):
    """A request, and its body, which tells when it is closed."""

    def start_response(self, *args: Any, **more: Any) -> Any: ...
    def answer(self, body: Iterable[bytes], whole: bool, /) -> Self:
        """What the server gets as the body; ``whole``: it is not sent."""

    def end(self, error: BaseException | None = None, /) -> None:
        """It is over, maybe with this error."""

    def close(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...

def route_reader(
    otherwise: Callable[[Any], str | None],
    key: str,
    names: tuple[str, ...],
    unless: tuple[str, ...],
    /,
) -> Callable[[Any], str | None]:
    """A function that reads the route of an environ or scope: ``held[key].name.name``.

    Where ``held`` has one of the keys ``unless``, or has no text (or None) there, ``otherwise`` is
    asked, which would give the same.
    """

def asgi_exchange(
    scope: dict[str, Any],
    receive: Any,
    send: Any,
    route: Callable[[dict[str, Any]], str | None] | None,
    is_websocket: bool,
    /,
) -> AsgiExchange:
    """A request or websocket that begins: found in ``scope``, which is asked for the route."""

def wsgi_exchange(
    environ: dict[str, Any],
    start_response: Any,
    route: Callable[[dict[str, Any]], str | None] | None,
    /,
) -> WsgiExchange:
    """A request that begins, likewise."""

def bind_requests(
    key: str,
    openings: Mapping[str, Opening],
    websocket: Opening,
    other: Opening,
    hint: Callable[[str, Any], Mapping[str, object]],
    outcome: Callable[[str, str | None, int], Outcome],
    cancelling: tuple[type[BaseException], ...],
    cancelled: str,
    /,
) -> None:
    """Take what is needed of the rest, once.

    Under which ``key`` a request lies in environ or scope; (prefix, name, op) of one that begins,
    by method, or of a websocket, or of an unknown method; ``hint(prefix, path)`` for a function
    that chooses; ``outcome(prefix, route, code)``, which is asked once for each; the exceptions
    that make the status ``cancelled``.
    """

class Sampler:
    """A thread that samples this process without the GIL.

    ``leaf_depth`` and ``root_depth`` frames of a deep stack are kept. ``budget`` is a share of one
    core (0: no limit). ``ours`` and ``machinery`` are file names, one a line, whose frames at the
    root are left out. ``variable`` holds the active span. ``may_drop_files`` lets the sampler
    thread have a table of file descriptors of its own, which the fastest way of reading needs.

    Raises RuntimeError with the reason where it cannot be.
    """

    def __new__(
        cls,
        leaf_depth: int,
        root_depth: int,
        max_samples: int,
        max_passes: int,
        budget: float,
        ours: str,
        machinery: str,
        variable: ContextVar[Any] | None,
        may_drop_files: bool = True,
    ) -> Sampler: ...
    def start(self, interval_ns: int, /) -> None: ...
    def sleep_between(self, queue: SpanQueue, /) -> None:
        """Sleep while no transaction of ``queue`` is open. Before the first start."""

    def stop(self) -> None: ...
    def note_c_call(self, code: CodeType, unit: int, name: str, /) -> None:
        """Instruction ``unit`` of ``code`` calls the C function ``name``."""

    def drain(
        self, restart: bool, /
    ) -> tuple[
        tuple[int, int, int, int, bytes, bytes, bytes, bytes, bytes],
        tuple[int, *tuple[bytes, ...]],
    ]:
        """What was sampled since the last drain; with ``restart`` all ids begin anew.

        Definitions: first function, frame and stack; number of functions; functions, frame
        functions, frame lines, stack parents, stack frames. Samples: start, then the columns of
        ``model.Samples`` in their order.
        """

    def births(self) -> list[tuple[int, int, int, int]]:
        """Take the threads not told yet, but for helpers.

        Of each: index, ident, system id, interpreter id.
        """

    def alive(self) -> list[int]:
        """Indexes of the threads there are."""

    def stats(self) -> dict[str, int]: ...

class Helper:
    """A thread that calls ``function``, and that Python sees only while it does.

    The first call comes after ``first_s`` seconds, each other one as many seconds after the one
    before as that returned. NaN, or None returned: when ``sampler`` has births to tell, and not
    before ``births_every_s``. What ``function`` raises goes to ``sys.unraisablehook``.

    Raises RuntimeError where the system gives no thread.
    """

    def __new__(
        cls,
        sampler: Sampler,
        function: Callable[[], float | None],
        name: str,
        first_s: float = ...,
        births_every_s: float = 0.0,
    ) -> Helper: ...
    def stop(self, timeout_s: float, /) -> bool:
        """No more calls; False: one goes on after ``timeout_s``."""

def delta_planes(numbers: Any, /) -> tuple[int, bytes]:
    """Differences of an array of 64-bit numbers, as ``columns.pack_deltas`` packs them."""

def id_planes(ids: dict[str, int], texts: list[str], /) -> tuple[int, bytes] | None:
    """Numbers of texts, as ``columns.pack_ids`` packs them; None: not all are known."""

def line_of(table: bytes, first_line: int, unit: int, /) -> int:
    """The line of instruction ``unit`` in a location table (PEP 626)."""

def set_await_types(
    engine: Sampler,
    wraps: tuple[tuple[type, int], ...],
    waiter: type | None,
    waiter_future: int,
    future: type | None,
    future_state: int,
    tasks: tuple[tuple[type, int, int, bool], ...],
    forks: tuple[tuple[object, tuple[int, ...], int, int, object], ...],
    /,
) -> None:
    """What leads from one coroutine to the next; see ``awaits.py``."""

def step_of(inner: Coroutine[Any, Any, Any], /) -> Any:
    """An awaitable around a coroutine, as requests put it around ``send`` and ``receive``."""

def use_task_names(name_task: Callable[[Any], None], /) -> None:
    """``name_task(span)`` is called for a transaction entered in a coroutine or greenlet."""

def offset_of(holder: object, target: object, /) -> int:
    """Where in its fixed part ``holder`` points to ``target``; -1: nowhere."""

def path_of(
    objects: tuple[object, ...], targets: tuple[object, ...], most: int, /
) -> tuple[int, ...] | None:
    """Offsets that lead from each object, pointer by pointer, to its target, at most so many.

    Needs two or three pairs; None: there is no such path, or memory cannot be read here.
    """

def offset_of_ints(a: object, b: object, c: object, x: int, y: int, z: int, /) -> int:
    """Where ``a``, ``b``, ``c``, of one type, hold these C ints; -1: not at exactly one place."""
