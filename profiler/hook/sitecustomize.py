"""What Python imports at its start where this folder is on PYTHONPATH: begins to record if told to.

``flamespan hook`` prints the folder; ``flamespan run`` sets it for child processes.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _import_the_one_behind() -> None:
    """A ``sitecustomize`` that ours stands before is imported all the same."""
    here = os.path.dirname(os.path.realpath(__file__))
    others = [path for path in sys.path if os.path.realpath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("FLAMESPAN"):
    try:
        from flamespan.profiler import autostart

        autostart.begin()
    except Exception as error:  # the program comes first
        sys.stderr.write(f"flamespan: not recording: {error}\n")

_import_the_one_behind()
