"""The socket by which this process can be told, from outside, to start, stop, or say how it does.

A recording process looks at the socket when it flushes, once a second, in the recorder's thread:
the door has no thread and costs nothing between two flushes. Only a process that is not recording
waits at the socket in a thread of its own, so that it can be told to start.

One request is one line of JSON, and so is the answer. The socket is mode 0600 in a folder of mode
0700, and whoever connects must be this user or root, as the kernel says (SO_PEERCRED; unix(7)).
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import json
import logging
import os
import signal
import stat
import struct
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from flamespan.profiler import systhreads
from flamespan.profiler.asking import SUPPORTED, VARIABLE, folder, read_line, socket_path
from flamespan.profiler.errors import FlamespanError
from flamespan.profiler.systhreads import SystemThread

TIMEOUT_S = 0.5
MAX_AT_ONCE = 16
SPARE_DESCRIPTORS = 16
"""So many file descriptors have to be left to the application, or it has no socket."""

_PEER = struct.Struct("3i")  # pid, uid, gid

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def is_wanted() -> bool:
    """Whether a recording of this process shall have a socket."""
    return SUPPORTED and os.environ.get(VARIABLE, "1") not in ("0", "false", "no", "off")


class Door:
    """The listening socket of one process. Nothing here raises into the application but ``open``.

    ``answer`` turns a request into what is replied. A recorder cannot end from within its own
    thread: ``stop`` is answered by one that goes on to wait, as long as ``is_recording`` says no.
    """

    def __init__(self, answer: Answer, is_recording: Callable[[], bool]) -> None:
        self._answer = answer
        self._is_recording = is_recording
        # Of the C module: gevent and eventlet put their own in the place of ``socket.socket``.
        self._socket: _socket.socket | None = None
        self._path = ""
        self._pid = 0
        self._failed = self._ended = False
        self._waiter: SystemThread | None = None
        self._leaving = False

    def open(self) -> None:
        """Make the socket. Raises OSError where that cannot be."""
        if self._socket is not None:
            return
        where = folder()
        _own_folder(where)
        path = socket_path(os.getpid(), where)
        made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        if made.fileno() >= _descriptors() - SPARE_DESCRIPTORS:
            made.close()
            raise OSError(errno.EMFILE, "the application has hardly any file descriptors left")
        fresh = f"{path}.new"  # it gets its name when it answers
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)
            made.bind(fresh)
            os.chmod(fresh, 0o600)
            made.listen(8)
            os.rename(fresh, path)  # over that of an earlier process with this number
        except OSError:
            made.close()
            raise
        self._socket, self._path, self._pid = made, path, os.getpid()

    def poll(self) -> None:
        """Answer who has called since; makes the socket at the first call."""
        if self._failed or self._ended or self._waiter is not None:
            return
        try:
            self.open()
        except OSError as error:
            self._failed = True
            logging.getLogger("flamespan").info(
                "flamespan control cannot reach this process: %s", error
            )
            return
        for _ in range(MAX_AT_ONCE):
            caller = self._accept(0.0)
            if caller is None or self._serve(caller):
                return

    def wait(self, first: Callable[[], None] | None = None) -> None:
        """Answer in a thread of its own until ``pause``, or until something records.

        Raises RuntimeError where the system gives no thread.
        """
        if self._socket is None or self._waiter is not None or self._ended:
            return
        waiter = SystemThread(self._run, (first,), "flamespan-control")
        self._leaving, self._waiter = False, waiter
        try:
            waiter.start()
        except RuntimeError:
            self._waiter = None
            raise

    def pause(self) -> bool:
        """End the thread that waits, if there is one; whether there was."""
        waiter = self._waiter
        if waiter is None:
            return False
        self._leaving = True
        with contextlib.suppress(OSError):  # wakes it
            caller = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            caller.settimeout(TIMEOUT_S)
            caller.connect(self._path)
            caller.close()
        waiter.join(5)
        return True

    def after_fork(self) -> None:
        """In a child: the socket is the parent's."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._waiter = None
        self._failed = False

    def close(self, *, for_good: bool = False) -> None:
        """No more calls."""
        self._ended = self._ended or for_good
        self.pause()
        made, self._socket = self._socket, None
        if made is not None and self._pid == os.getpid():
            made.close()
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _run(self, first: Callable[[], None] | None) -> None:
        try:
            if first is not None:
                first()
            while self._socket is not None and not self._is_recording():
                caller = self._accept(None)
                if self._leaving:
                    return
                if caller is not None:
                    self._reply(caller, _request(caller))
        finally:
            self._waiter = None

    def _accept(self, timeout_s: float | None) -> _socket.socket | None:
        listening = self._socket
        if listening is None:
            return None
        try:
            listening.settimeout(timeout_s)
            number, _ = listening._accept()  # type: ignore[attr-defined]
        except OSError:  # nobody there, or no descriptor left
            if timeout_s is None:
                systhreads.sleep(TIMEOUT_S)
            return None
        caller = _socket.socket(fileno=number)
        caller.settimeout(TIMEOUT_S)
        if _may(caller):
            return caller
        _request(caller)  # closing with it unread would take the answer away
        _send(caller, {"error": "only the owner of the process may control it"})
        return None

    def _serve(self, caller: _socket.socket) -> bool:
        """Answer one caller; True: a thread took over."""
        request = _request(caller)
        if request.get("command") == "stop" and self._is_recording():
            try:
                self.wait(lambda: self._reply(caller, request))
            except RuntimeError:
                _send(caller, {"error": "the system gives no thread to stop from"})
                return False
            return True
        self._reply(caller, request)
        return False

    def _reply(self, caller: _socket.socket, request: dict[str, Any]) -> None:
        try:
            answer = self._answer(request)
        except FlamespanError as error:
            answer = {"error": str(error)}
        except Exception as error:  # no trouble of ours is the application's
            answer = {"error": f"{type(error).__name__}: {error}"}
        _send(caller, answer)


def on_signal(number: int, toggle: Callable[[], None]) -> None:
    """Call ``toggle`` in a thread of its own at each signal; the handler before is called, too."""
    before = signal.getsignal(number)

    def handle(signum: int, frame: FrameType | None) -> None:
        # Not here: the main thread may hold any of our locks.
        with contextlib.suppress(RuntimeError):
            SystemThread(toggle, (), "flamespan-signal").start()
        if callable(before):
            before(signum, frame)

    signal.signal(number, handle)


def _descriptors() -> int:
    import resource  # noqa: PLC0415 - not on Windows, where there are no such sockets

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def _own_folder(path: str) -> None:
    """Make the folder, or make sure that it is ours alone: /tmp belongs to everybody."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to somebody else")
    if facts.st_mode & 0o077:
        os.chmod(path, 0o700)


def _may(caller: _socket.socket) -> bool:
    """Whether the process at the other end is this user's, or root's."""
    peer = caller.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _PEER.size)
    return bool(_PEER.unpack(peer)[1] in (0, os.geteuid()))


def _request(caller: _socket.socket) -> dict[str, Any]:
    try:
        return read_line(caller)
    except (OSError, ValueError):
        return {"command": ""}


def _send(caller: _socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        caller.sendall(json.dumps(answer).encode() + b"\n")
    with contextlib.suppress(OSError):
        caller.close()
