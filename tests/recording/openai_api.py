"""Chat completions and embeddings as OpenAI's API has them."""

from __future__ import annotations

import json
from typing import Any

from tests.recording.told import Json

NAME = "chat"
CREATED = 1767225600
_PARAMETERS = ("temperature", "max_tokens", "top_p")


def told_request(body: Json) -> Json:
    """What a step says of a request."""
    return {
        "model_requested": body["model"],
        "parameters": {n: body[n] for n in _PARAMETERS if n in body},
        "tools_offered": [tool["function"]["name"] for tool in body.get("tools", ())],
        "input": [_told_message(message) for message in body["messages"]],
    }


def _told_message(message: Json) -> Json:
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content if part["type"] == "text")
    told = {"role": message["role"], "text": content}
    if calls := message.get("tool_calls"):
        told["tool_calls"] = [
            {
                "id": call["id"],
                "name": call["function"]["name"],
                "arguments": json.loads(call["function"]["arguments"]),
            }
            for call in calls
        ]
    if "tool_call_id" in message:
        told["tool_call_id"] = message["tool_call_id"]
    return told


def _requests(reply: Any) -> list[Json]:
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
        }
        for call in reply.tool_calls
    ]


def _usage(reply: Any) -> Json:
    usage = dict(reply.usage)
    return usage | {"prompt_tokens_details": {"cached_tokens": usage.pop("cached_prompt_tokens")}}


def answer(id_: str, model: str, reply: Any) -> Json:
    message = {"role": "assistant", "content": reply.text}
    if reply.tool_calls:
        message["tool_calls"] = _requests(reply)
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    named = {"id": id_, "object": "chat.completion", "created": CREATED, "model": model}
    return named | {"choices": [choice], "usage": _usage(reply)}


def stream(id_: str, model: str, reply: Any) -> list[Json]:
    """Word by word, then the requests for tools, then the end and the tokens."""
    words = (reply.text or "").split(" ")
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word if n == 0 else f" {word}"} for n, word in enumerate(words) if word]
    deltas += [{"tool_calls": [{"index": n} | c]} for n, c in enumerate(_requests(reply))]
    named = {"id": id_, "object": "chat.completion.chunk", "created": CREATED, "model": model}
    chunks = [
        named | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    ended = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
    return [*chunks, named | {"choices": [ended]}, named | {"choices": [], "usage": _usage(reply)}]


def failure(message: str) -> Json:
    return {"error": {"message": message, "type": "requests", "code": "rate_limit_exceeded"}}


def embeddings(model: str, texts: int, usage: Json) -> Json:
    data = [{"object": "embedding", "index": n, "embedding": [0.5, n]} for n in range(texts)]
    return {"object": "list", "model": model, "data": data, "usage": usage}
