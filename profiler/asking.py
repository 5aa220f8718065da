"""What calls at the control socket of a process, and where that socket is; see ``control``.

Needs nothing of the rest of the profiler, so that who only reads recordings may ask, too.
"""

from __future__ import annotations

import _socket
import contextlib
import json
import os
import tempfile
import time
from typing import Any

from flamespan.profiler.errors import UsageError

VARIABLE = "FLAMESPAN_CONTROL"
"""Set to 0 a recording has no socket."""

MAX_REQUEST = 64 << 10
SUPPORTED = hasattr(_socket, "SO_PEERCRED")


def folder() -> str:
    """Where this user's sockets are: $XDG_RUNTIME_DIR/flamespan, else flamespan-UID in /tmp."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and os.path.isdir(base) and os.access(base, os.W_OK):
        return os.path.join(base, "flamespan")
    return os.path.join(tempfile.gettempdir(), f"flamespan-{os.geteuid()}")


def socket_path(pid: int, where: str = "") -> str:
    """The socket of a process."""
    return os.path.join(where or folder(), f"{pid}.sock")


def read_line(peer: _socket.socket, most: int = MAX_REQUEST) -> dict[str, Any]:
    """One line of JSON, an object. Raises OSError or ValueError where none comes."""
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = peer.recv(64 << 10)
        if not piece or len(data) + len(piece) > most:
            raise ValueError("no whole line of JSON")
        data += piece
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def ask(pid: int, request: dict[str, Any], timeout_s: float = 20.0) -> dict[str, Any]:
    """What a process answers. Raises UsageError where it does not."""
    peer = _connect(pid, timeout_s)
    try:
        peer.sendall(json.dumps(request).encode() + b"\n")
        answer = read_line(peer, 256 << 20)
    except (OSError, ValueError) as error:
        raise UsageError(f"process {pid} does not answer: {error or 'it ended'}") from None
    finally:
        peer.close()
    if "error" in answer:
        raise UsageError(f"process {pid}: {answer['error']}")
    return answer


def _connect(pid: int, timeout_s: float) -> _socket.socket:
    """To the socket of a process, which it makes within a second and a half of its start."""
    until_s = time.monotonic() + 3
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            raise UsageError(f"there is no process {pid}") from None
        except PermissionError:
            pass
        for where in _folders(pid):
            peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            peer.settimeout(timeout_s)
            try:
                peer.connect(socket_path(pid, where))
            except OSError as error:
                peer.close()
                _check(pid, error)
            else:
                return peer
        if time.monotonic() > until_s:
            raise UsageError(
                f"process {pid} has no flamespan that listens: start it with flamespan run, or "
                "call profiler.start() or controlled.listen() in it (Linux; not with "
                f"{VARIABLE}=0)"
            )
        time.sleep(0.05)


def _check(pid: int, error: OSError) -> None:
    """Pass over sockets that are not there, and those left by a killed process of this number."""
    if isinstance(error, PermissionError):
        raise UsageError(
            f"process {pid} is another user's: only its owner may control it"
        ) from None
    if not isinstance(error, (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)):
        raise UsageError(f"process {pid} does not answer: {error}") from None


def _folders(pid: int) -> list[str]:
    """Where the socket may be: root looks where the process's own user would have it."""
    found = [folder(), os.path.join(tempfile.gettempdir(), f"flamespan-{os.geteuid()}")]
    with contextlib.suppress(OSError):
        owner = os.stat(f"/proc/{pid}").st_uid
        found += [f"/run/user/{owner}/flamespan", f"/tmp/flamespan-{owner}"]
    return found
