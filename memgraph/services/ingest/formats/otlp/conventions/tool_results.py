"""What a tool was given and gave back, out of the wrappings of frameworks."""

from __future__ import annotations

import re
from typing import Any

from memgraph.services.ingest.formats.otlp.conventions.reading import (
    as_text,
    decoded,
    loose,
    python_literal,
)

_REPR = re.compile(
    r"""content=(?P<content>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r""".{0,2000}? tool_call_id='(?P<call_id>[^']+)'""",
    re.DOTALL,
)
"""The repr of LangChain's message."""
_REPR_CHARS = 200_000


def tool_output(found: Any) -> tuple[Any, str | None]:
    """Take a result out of a framework's message of it; with the id of the call, if it says."""
    value = decoded(found)
    if isinstance(value, dict) and "output" in value and value.keys() <= {"output", "kwargs"}:
        value = decoded(value["output"])
    message = _message(value)
    if message is not None:
        return loose(message.get("content")), as_text(message.get("tool_call_id"))
    if isinstance(value, str) and len(value) < _REPR_CHARS and (m := _REPR.match(value)):
        return loose(python_literal(m["content"])), m["call_id"]
    return loose(value), None


def _message(value: Any) -> dict[str, Any] | None:
    """The fields of a LangChain message, however it was serialised."""
    if not isinstance(value, dict):
        return None
    for name in ("data", "kwargs"):
        if isinstance(inner := value.get(name), dict) and "tool_call_id" in inner:
            return inner
    return value if "tool_call_id" in value and "content" in value else None


def tool_input(found: Any) -> Any:
    """Take the arguments out of a framework's call of the tool."""
    value = loose(found)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"args", "kwargs"}:
        return value["kwargs"] or value["args"] or {}
    if isinstance(told := value.get("input_str"), str):
        literal = python_literal(told)
        return loose(told) if literal is None else literal
    return value
