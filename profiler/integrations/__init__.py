"""Doors into frameworks: each module loads its framework, and only when it is imported itself."""
