"""Write events as JSON that the service takes, whatever the host put into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

MAX_TEXT_CHARS = 1_000_000
"""Longest text, and largest free-form value, that the service keeps."""
MAX_DEPTH = 30
"""Deepest nesting of an event: the service allows 32 levels of a value."""
MAX_INTEGER = 2**63 - 1
REPLACEMENT = "\ufffd"

_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else ord(" ") for byte in range(256))
"""Makes a 0 of each digit and a blank of all else: searching that is ten times faster."""
_LONG_NUMBER = b"0" * len(str(MAX_INTEGER))


def encoded(value: Any) -> bytes:
    """The value as JSON. What JSON does not know is named by its type."""
    try:
        return _json(value)
    except PydanticSerializationError:
        return _json(mended(value))


def repaired(event: bytes) -> bytes:
    """The event without what would have it refused: NUL, deep nesting, long numbers and values."""
    if not _is_suspect(event):
        return event
    parsed = from_json(event)
    for name in ("parameters", "result"):
        if name in parsed:
            parsed[name] = _shortened(parsed[name])
    return _json(mended(parsed))


def mended(value: Any, depth: int = 1) -> Any:
    """The value with every part that cannot be kept replaced by one that can."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", REPLACEMENT)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        return str(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return REPLACEMENT if depth > MAX_DEPTH else _mended_parts(value, depth)
    return value


def _mended_parts(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {mended(str(k)): mended(v, depth + 1) for k, v in value.items()}
    return [mended(item, depth + 1) for item in value]


def _json(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null", bytes_mode="base64", fallback=_named)


def _named(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _is_suspect(event: bytes) -> bool:
    """Say whether a closer look is due; brackets inside texts count too."""
    return (
        b"\\u0000" in event
        or event.count(b"[") + event.count(b"{") > MAX_DEPTH
        or len(event) > MAX_TEXT_CHARS
        or _LONG_NUMBER in event.translate(_DIGITS)
    )


def _shortened(value: Any) -> Any:
    text = _json(value)
    return value if len(text) <= MAX_TEXT_CHARS else text[:MAX_TEXT_CHARS].decode("utf-8", "ignore")
