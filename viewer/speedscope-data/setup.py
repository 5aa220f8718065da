"""Puts speedscope's files into the wheel: from its npm package, if that has the hash below."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PACKAGE = "speedscope@1.25.0"
SHA512 = "cpf9HWTZf1ijLXBJrk87Ve/54tnYx6rlf0gUThvn3ook6h63hLXVOQiMf44PT+XoV503cPfvfiT5gP5vojp6Ag=="
"""As the npm registry tells it ("integrity")."""
VARIABLE = "SPEEDSCOPE_TGZ"
RELEASE = "package/dist/release/"
LEFT_OUT = ("perf-vertx-stacks",)  # a sample profile


def packed() -> bytes:
    """The npm package: the file that is named by the variable, else what npm fetches."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).read_bytes()
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(f"npm is not here: install it, or name {PACKAGE}'s file by {VARIABLE}")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True)
        (found,) = Path(folder).glob("*.tgz")
        return found.read_bytes()


def unpack(data: bytes, into: Path) -> None:
    """Write the release and the licence. SystemExit for another file than the one that is known."""
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != SHA512:
        raise SystemExit(f"this is not {PACKAGE}: its sha512 is {found}, expected {SHA512}")
    (into / "release").mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            name = member.name.removeprefix(RELEASE)
            wanted = member.name.startswith(RELEASE) and "/" not in name
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and wanted and not name.startswith(LEFT_OUT):
                (into / "release" / name).write_bytes(file.read())
            elif file is not None and member.name == "package/LICENSE":
                (into / "LICENSE").write_bytes(file.read())


class Build(build_py):
    """The package's own file, and speedscope's."""

    def run(self) -> None:
        """Build them both."""
        super().run()
        unpack(packed(), Path(self.build_lib) / "flamespan_speedscope")


setup(cmdclass={"build_py": Build})
