"""A framework that is not there, said so that one knows what to do."""

from __future__ import annotations

import importlib
from typing import Any

from flamespan.profiler.errors import UsageError


def load(module: str, package: str) -> Any:
    """Import ``module``; UsageError says how to install ``package`` where it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and lacks something of its own
        raise UsageError(
            f"this integration needs {package}, which is not installed: pip install {package}"
        ) from error
