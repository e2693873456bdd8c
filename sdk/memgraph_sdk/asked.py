"""Read what a model was asked: out of a text, or of messages of any of the common shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_HISTORY = 1_000
"""Messages that an event may hold; the latest are kept."""
_ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
}
_PARAMETERS: dict[str, tuple[type[int] | tuple[type[int], type[float]], float, float]] = {
    "temperature": ((int, float), 0, 2),
    "top_p": ((int, float), 0, 1),
    "top_k": (int, 1, 2**63 - 1),
    "max_tokens": (int, 1, 2**63 - 1),
    "presence_penalty": ((int, float), -2, 2),
    "frequency_penalty": ((int, float), -2, 2),
}
"""Parameters of a model, and the range that the service takes."""
_NO_PROMPTS = frozenset(
    {"self", "cls", "model", "system", "instructions", "session_id", "user_id", "agent_id"}
)


@dataclass(slots=True)
class Asked:
    """What a model was asked."""

    text: str | None = None
    history: list[dict[str, str]] = field(default_factory=list)
    """The other messages: role and content."""
    informed_by: list[str] = field(default_factory=list)
    """Ids of the tool calls whose results came after the text."""


def read(source: Any, name: str) -> Any:
    """A field of a mapping or an object; None where there is none."""
    if isinstance(source, Mapping):
        return source.get(name)
    return getattr(source, name, None)


def items(value: Any) -> Sequence[Any]:
    """The value if it is a list of something."""
    return value if isinstance(value, list | tuple) else ()


def word(value: Any) -> str | None:
    """The value if it is a text that says something."""
    return value if isinstance(value, str) and value else None


def asked(prompt: Any) -> Asked:
    """Read a prompt: a text, one message, or messages, of which the last of a user is the text."""
    if isinstance(prompt, str):
        return Asked(word(prompt))
    if isinstance(prompt, Mapping) and "messages" in prompt:
        return asked(prompt["messages"])
    messages = items(prompt) or ([prompt] if read(prompt, "content") else [])
    told = [(_role(m), text_of(read(m, "content"))) for m in messages]
    last = max((i for i, (role, text) in enumerate(told) if role == "user" and text), default=-1)
    if last < 0:
        last = max((i for i, (_, text) in enumerate(told) if text), default=-1)
    if last < 0:
        return Asked()
    history = [{"role": r, "content": t} for i, (r, t) in enumerate(told) if i != last and r and t]
    since = [id_ for m in messages[last + 1 :] for id_ in _results(m)]
    return Asked(told[last][1], history[-MAX_HISTORY:], since)


def text_of(content: Any) -> str:
    """The text of a message: all its parts that are text, in order."""
    if isinstance(content, str):
        return content
    parts = (part if isinstance(part, str) else read(part, "text") for part in items(content))
    return "\n".join(part for part in parts if isinstance(part, str) and part)


def asked_by(arguments: Mapping[str, Any]) -> Asked:
    """Find the prompt among the arguments of a call: messages, else the first text."""
    for name in ("messages", "prompt", "input"):
        if (found := arguments.get(name)) is not None and (read_ := asked(found)).text:
            return _with_system(read_, arguments)
    texts = (v for n, v in arguments.items() if n not in _NO_PROMPTS and isinstance(v, str))
    return _with_system(Asked(next(filter(None, texts), None)), arguments)


def parameters_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the model among the arguments, those that the service takes."""
    found = {}
    for name, (types, low, high) in _PARAMETERS.items():
        value = arguments.get(name)
        if isinstance(value, types) and not isinstance(value, bool) and low <= value <= high:
            found[name] = value
    return found


def _with_system(asked_: Asked, arguments: Mapping[str, Any]) -> Asked:
    """Put what the arguments say to the model beside the messages in front of the history."""
    for name in ("system", "instructions"):
        if text := text_of(arguments.get(name)):
            asked_.history.insert(0, {"role": "system", "content": text})
    return asked_


def _role(message: Any) -> str | None:
    said = read(message, "role") or read(message, "type")
    return _ROLES.get(said) if isinstance(said, str) else None


def _results(message: Any) -> list[str]:
    """Ids of the tool calls whose results a message carries."""
    parts = [message, *items(read(message, "content"))]
    found = (
        read(part, name) for part in parts for name in ("tool_call_id", "tool_use_id", "call_id")
    )
    return [id_ for id_ in found if isinstance(id_, str) and id_]
