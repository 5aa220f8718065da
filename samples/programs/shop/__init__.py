"""A small web shop with planted performance troubles, for flamespan to find (see README.md)."""
