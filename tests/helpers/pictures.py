"""Golden pictures: what a plot looked like when somebody last looked at it, within a tolerance.

Drawn small, and compared blurred, so that another version of matplotlib, which sets a text a pixel
to the side, passes; a bar that is missing, or has another length or colour, does not.
``REFRESH_GOLDEN=1 pytest …`` draws them anew; look at them before you commit them.
"""

from __future__ import annotations

import io
import os

import numpy as np

from flamespan.viewer import plots
from helpers.golden import FOLDER

DPI, COLOURS = 40, 32
BLUR_PX = 2
TOLERANCE = 9.0
"""Root mean square of the differences of the blurred pictures, in steps of 255."""


def drawn(axes):
    """What ``axes`` draw, as a small picture."""
    from PIL import Image

    file = io.BytesIO()
    plots.save(axes, file, "png", DPI)
    return Image.open(file).convert("RGB")


def difference(one, other):
    """How far two pictures are apart (see TOLERANCE); the second is brought to the first's size."""
    from PIL import ImageFilter

    blur = ImageFilter.GaussianBlur(BLUR_PX)
    pixels = [np.asarray(p.filter(blur), float) for p in (one, other.resize(one.size))]
    return float(np.sqrt(((pixels[0] - pixels[1]) ** 2).mean()))


def check(name, axes):
    """AssertionError where ``axes`` do not look as tests/golden/NAME.png does."""
    from PIL import Image

    path, now = FOLDER / f"{name}.png", drawn(axes)
    if os.environ.get("REFRESH_GOLDEN"):
        now.quantize(COLOURS, dither=0).save(path, optimize=True)
    golden = Image.open(path).convert("RGB")
    assert np.allclose(now.size, golden.size, rtol=0.04), f"{now.size}, not {golden.size}"
    apart = difference(now, golden)
    assert apart < TOLERANCE, f"{apart:.1f} from {path}: REFRESH_GOLDEN=1?"
