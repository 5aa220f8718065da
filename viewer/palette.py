"""Which colour a function has, by whose code it is; the same colours as on the page.

Application code is warm and in several shades, so that neighbours stand apart; everything else
is cool and pale. Lightness differs too, and every picture says the origin in words as well.
"""

from __future__ import annotations

from flamespan.aggregator.data import Origin, Tables

APPLICATION_SHADES = 5

LIGHT = ("#f3a95f", "#f0bc74", "#ee9a6c", "#f2cb86", "#e8ad83", "#a8bfdc", "#c2d0de", "#d8dcdf")
"""Five of application, then library, stdlib, runtime."""

DARK = ("#9c5d28", "#8c652d", "#a3573a", "#816a2e", "#985f45", "#435a7b", "#3d4a5a", "#3a3f47")
"""The same on a dark ground."""


def shade(tables: Tables, function: int) -> int:
    """Index into LIGHT and DARK; stable between runs and machines."""
    origin = int(tables.function_origin[function])
    if origin != Origin.APPLICATION:
        return APPLICATION_SHADES - 1 + origin
    text = f"{tables.function_file[function]} {tables.function_name[function]}"
    return _hash(text) % APPLICATION_SHADES


def _hash(text: str) -> int:
    """FNV-1a over UTF-16 units, as the page does it."""
    found = 2166136261
    units = text.encode("utf-16-le", "surrogatepass")
    for place in range(0, len(units), 2):
        found ^= int.from_bytes(units[place : place + 2], "little")
        found = found * 16777619 & 0xFFFFFFFF
    return found
