"""Messages as Anthropic's API has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.recording.told import Json

NAME = "messages"
_PARAMETERS = ("temperature", "max_tokens", "top_p")
_REASONS = {"stop": "end_turn", "tool_calls": "tool_use"}


def told_request(body: Json) -> Json:
    """What a step says of a request; results of tools are messages of their own."""
    system = [{"role": "system", "text": body["system"]}] if "system" in body else []
    return {
        "model_requested": body["model"],
        "parameters": {n: body[n] for n in _PARAMETERS if n in body},
        "tools_offered": [tool["name"] for tool in body.get("tools", ())],
        "input": [*system, *(m for message in body["messages"] for m in _told_messages(message))],
    }


def _told_messages(message: Json) -> Iterator[Json]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "tool_result":
            told = block["content"]
            yield {"role": "tool", "text": told, "tool_call_id": block["tool_use_id"]}
    said = {"role": message["role"], "text": "".join(b["text"] for b in blocks if "text" in b)}
    calls = [
        {"id": b["id"], "name": b["name"], "arguments": b["input"]}
        for b in blocks
        if b["type"] == "tool_use"
    ]
    if said["text"] or calls:
        yield said | ({"tool_calls": calls} if calls else {})


def _blocks(reply: Any) -> list[Json]:
    text = [{"type": "text", "text": reply.text}] if reply.text else []
    return text + [
        {"type": "tool_use", "id": c["id"], "name": c["name"], "input": c["arguments"]}
        for c in reply.tool_calls
    ]


def _message(id_: str, model: str, reply: Any, **more: Any) -> Json:
    # What was read from the cache is no part of the input here.
    usage = {
        "input_tokens": reply.prompt_tokens - reply.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.cached_tokens,
        "output_tokens": reply.completion_tokens,
    }
    named = {"id": id_, "type": "message", "role": "assistant", "model": model}
    return named | {"stop_sequence": None, "usage": usage} | more


def answer(id_: str, model: str, reply: Any) -> Json:
    reason = _REASONS[reply.finish_reason]
    return _message(id_, model, reply, content=_blocks(reply), stop_reason=reason)


def stream(id_: str, model: str, reply: Any) -> list[Json]:
    """A block after the other: texts word by word, arguments in one piece."""
    begun = _message(id_, model, reply, content=[], stop_reason=None)
    begun["usage"] = begun["usage"] | {"output_tokens": 1}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(_blocks(reply)):
        empty = {"text": ""} if block["type"] == "text" else {"input": {}}
        events.append(_block("start", index, content_block=block | empty))
        events += [_block("delta", index, delta=delta) for delta in _deltas(block)]
        events.append(_block("stop", index))
    ended = {"stop_reason": _REASONS[reply.finish_reason], "stop_sequence": None}
    usage = {"output_tokens": reply.completion_tokens}
    return [
        *events,
        {"type": "message_delta", "delta": ended, "usage": usage},
        {"type": "message_stop"},
    ]


def _block(what: str, index: int, **more: Any) -> Json:
    return {"type": f"content_block_{what}", "index": index} | more


def _deltas(block: Json) -> Iterator[Json]:
    if block["type"] == "tool_use":
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        return
    for n, word in enumerate(block["text"].split(" ")):
        yield {"type": "text_delta", "text": word if n == 0 else f" {word}"}


def failure(message: str) -> Json:
    return {"type": "error", "error": {"type": "rate_limit_error", "message": message}}
