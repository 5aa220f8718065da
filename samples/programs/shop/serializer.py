"""JSON by hand. Planted trouble: pure Python, one character after the other."""

from __future__ import annotations

from typing import Any


def to_json(value: Any) -> str:
    """``value`` (dict, list, str, number, None) as JSON text."""
    if isinstance(value, dict):
        members = (f"{to_json(str(key))}:{to_json(member)}" for key, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(to_json(member) for member in value) + "]"
    if isinstance(value, str):
        return '"' + escape_character_by_character(value) + '"'
    return "null" if value is None else str(value)


def escape_character_by_character(text: str) -> str:
    """``text`` as the inside of a JSON string. Trouble: ``json.dumps`` does it in C."""
    escaped = ""
    for character in text:
        code = ord(character)
        if character == '"':
            piece = '\\"'
        elif character == "\\":
            piece = "\\\\"
        elif code < 32 or code > 126:
            piece = f"\\u{code:04x}"
        else:
            piece = chr(code)
        escaped += piece
    return escaped
