"""Read what a model answered, by the shape of the object: nothing of a vendor is imported.

Chat completions, completions and responses as OpenAI shapes them, messages as Anthropic does,
whole or as the pieces of a stream; else texts, and values as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from memgraph_sdk.asked import items, read, text_of, word
from memgraph_sdk.encoding import encoded

_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "function_call",
    "error": "error",
    "failed": "error",
}
"""Why vendors say that a model stopped, in the words of the service."""


@dataclass(slots=True)
class ToolCall:
    """A tool that the model wants called. Arguments are JSON."""

    id: str
    name: str
    arguments: str | None = None


@dataclass(slots=True)
class Answered:
    """What a model answered; None is what it did not say."""

    text: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)

    def take(self, other: Answered) -> None:
        """Let what the other says count instead."""
        for each in fields(other):
            value = getattr(other, each.name)
            if value is not None and value != []:
                setattr(self, each.name, value)


def answered(result: Any) -> Answered:
    """Read the result of a call."""
    if result is None or isinstance(result, str):
        return Answered(result)
    for reader in (_completion, _response, _message, _turn):
        if (found := reader(result)) is not None:
            return found
    if isinstance(result, Mapping | list | tuple | int | float | BaseModel) or is_dataclass(result):
        return Answered(encoded(result).decode())
    return Answered(word(read(result, "content")) or word(read(result, "text")))


def usage_of(usage: Any) -> Answered:
    """Read how many tokens were used, in the names of any vendor."""
    prompt = count(read(usage, "prompt_tokens"))
    completion = count(read(usage, "completion_tokens"))
    if prompt is not None:
        details = read(usage, "prompt_tokens_details")
        total = count(read(usage, "total_tokens"))
        if completion is None and total is not None and total >= prompt:
            completion = total - prompt
        return _tokens(prompt, completion, count(read(details, "cached_tokens")))
    prompt, completion = (count(read(usage, n)) for n in ("input_tokens", "output_tokens"))
    if (details := read(usage, "input_tokens_details")) is not None:
        return _tokens(prompt, completion, count(read(details, "cached_tokens")))
    # Here input is what is left beside that of the cache.
    cached = count(read(usage, "cache_read_input_tokens"))
    beside = (cached or 0) + (count(read(usage, "cache_creation_input_tokens")) or 0)
    return _tokens(prompt if prompt is None else prompt + beside, completion, cached)


def count(value: Any) -> int | None:
    """The value if it counts something."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None


def reason(value: Any) -> str | None:
    """Why the model stopped, in the words of the service."""
    return _REASONS.get(value) if isinstance(value, str) else None


def _tokens(prompt: int | None, completion: int | None, cached: int | None) -> Answered:
    return Answered(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached)


def _completion(result: Any) -> Answered | None:
    """A chat completion, or a completion of the older kind: the first choice."""
    choices = items(read(result, "choices"))
    if not choices:
        return None
    choice = choices[0]
    found = usage_of(read(result, "usage"))
    found.take(_said(read(choice, "message")))
    found.text = found.text or word(read(choice, "text"))
    found.model = word(read(result, "model"))
    found.finish_reason = reason(read(choice, "finish_reason"))
    return found


def _turn(result: Any) -> Answered | None:
    """What a chat completion says, by itself: a message of the assistant."""
    role = read(result, "role") or read(result, "type")
    return _said(result) if role in ("assistant", "ai", "model") else None


def _said(message: Any) -> Answered:
    """The text and the tool calls of a message."""
    text = text_of(read(message, "content")) or read(message, "refusal")
    calls = [
        tool_call(call, read(call, "id"), read(call, "function") or call)
        for call in items(read(message, "tool_calls"))
    ]
    return Answered(word(text), tool_calls=calls)


def _response(result: Any) -> Answered | None:
    """A response: a list of what was put out."""
    output = items(read(result, "output"))
    if not output and read(result, "object") != "response":
        return None
    found = usage_of(read(result, "usage"))
    texts = [text_of(read(item, "content")) for item in output if read(item, "type") == "message"]
    found.text = word("\n".join(filter(None, texts)))
    found.model = word(read(result, "model"))
    found.tool_calls = [
        tool_call(item, read(item, "call_id"), item)
        for item in output
        if read(item, "type") == "function_call"
    ]
    details = read(result, "incomplete_details")
    found.finish_reason = reason(read(details, "reason") or read(result, "status"))
    if found.tool_calls and found.finish_reason == "stop":
        found.finish_reason = "tool_calls"
    return found


def _message(result: Any) -> Answered | None:
    """A message: a list of blocks."""
    if read(result, "type") != "message":
        return None
    blocks = items(read(result, "content"))
    found = usage_of(read(result, "usage"))
    found.text = word(text_of([b for b in blocks if read(b, "type") == "text"]))
    found.model = word(read(result, "model"))
    found.finish_reason = reason(read(result, "stop_reason"))
    found.tool_calls = [
        tool_call(b, read(b, "id"), b) for b in blocks if read(b, "type") == "tool_use"
    ]
    return found


def tool_call(call: Any, id_: Any, function: Any) -> ToolCall:
    """One call of a tool; arguments that are no text yet become JSON."""
    names = ("arguments", "input", "args")
    arguments = next((a for n in names if (a := read(function, n)) is not None), None)
    if arguments is not None and not isinstance(arguments, str):
        arguments = encoded(arguments).decode()
    name = read(function, "name") or read(call, "name")
    return ToolCall(word(id_) or "", word(name) or "", arguments)
