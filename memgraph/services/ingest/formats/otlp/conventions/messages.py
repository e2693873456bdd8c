"""Messages in every shape that libraries send them, read into the neutral one.

Seen: OpenAI's chat and Responses API, GenAI's parts, Anthropic's blocks, OpenInference's
trees, LangChain's serialised messages. They differ in names and nesting only, so one
tolerant reader takes all; what it does not know it passes over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memgraph.services.ingest.formats.otlp.conventions.reading import (
    as_text,
    decoded,
    first,
    loose,
)
from memgraph.services.ingest.formats.otlp.neutral import Message, Role, ToolRequest

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "HumanMessage": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "AIMessage": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "ToolMessage": "tool",
    "ipython": "tool",
}
_TEXTS = {"text", "input_text", "output_text"}
_IMAGES = {"image", "image_url", "input_image", "uri", "blob"}
_REQUESTS = {"tool_call", "tool_use", "function_call"}
_RESULTS = {"tool_call_response", "tool_result", "function_call_output"}


def read_messages(found: Any, role: Role = "user") -> tuple[Message, ...]:
    """Read a list of messages, one message, or a text; ``role`` is that of one without."""
    found = decoded(found)
    if isinstance(found, str):
        # JSON that cannot be read was cut off by a limit of the sender: it is no one's words.
        is_broken = found.lstrip().startswith(("[{", '{"'))
        return () if is_broken or not found else (Message(role, found),)
    items = found if isinstance(found, list) else [found]
    if len(items) == 1 and isinstance(items[0], list):
        # LangChain sends a batch of histories, of which there is one.
        items = items[0]
    return tuple(message for item in items for message in _message(item, role))


def joined(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Make one message of each run of assistant messages: a text and its calls are one answer."""
    kept: list[Message] = []
    for message in messages:
        if kept and message.role == kept[-1].role == "assistant":
            before = kept.pop()
            text = "\n".join(t for t in (before.text, message.text) if t)
            message = Message(
                "assistant",
                text,
                before.images + message.images,
                before.requests + message.requests,
                name=message.name or before.name,
            )
        kept.append(message)
    return tuple(kept)


def _message(item: Any, role: Role) -> Iterator[Message]:
    item = decoded(item)
    if isinstance(item, str):
        yield Message(role, item)
        return
    if not isinstance(item, dict):
        return
    item = _unwrapped(item)
    kind = item.get("type")
    if "role" not in item and kind in _REQUESTS | _RESULTS | _TEXTS:
        item = {"role": "user" if kind in _RESULTS else role, "content": [item]}
        if kind in _REQUESTS:
            item["role"] = "assistant"
    own = _role(item, role)
    if own is not None:
        yield from _with_parts(item, own)


def _unwrapped(item: dict[str, Any]) -> dict[str, Any]:
    """Take off what a library wraps around a message."""
    if isinstance(inner := item.get("message"), dict):  # OpenInference
        return inner
    if isinstance(inner := item.get("data"), dict):  # LangChain's dictionaries
        return {"role": item.get("type"), **inner}
    if isinstance(inner := item.get("kwargs"), dict) and "lc" in item:  # LangChain's dumps
        names = item.get("id")
        return {"role": inner.get("type") or (names[-1] if isinstance(names, list) else None)} | {
            **inner
        }
    return item


def _role(item: dict[str, Any], default: Role) -> Role | None:
    said = first((item.get("role"), item.get("type")))
    if said is None or said == "message":
        return default
    return _ROLES.get(said) if isinstance(said, str) else None


def _with_parts(item: dict[str, Any], role: Role) -> Iterator[Message]:
    """Split a message: results of tools first, each alone, then what it says itself."""
    said: list[str] = []
    images: list[str] = []
    requests = [r for call in _tool_calls(item) if (r := read_request(call))]
    results: list[Message] = []
    for part in _parts(item):
        kind = part.get("type")
        if kind in _RESULTS:
            results.append(_result(part))
        elif kind in _REQUESTS and (request := read_request(part)):
            requests.append(request)
        elif kind in _IMAGES and (url := _image(part)):
            images.append(url)
        elif kind in _TEXTS or (kind is None and "text" in part):
            said.append(as_text(part.get("text")) or as_text(part.get("content")) or "")
    text = "\n".join(t for t in said if t)
    # LangChain says a call twice: in the content as the provider has it, and beside it.
    requests = list({r.call_id or n: r for n, r in enumerate(requests)}.values())
    yield from results
    if role == "tool":
        if not results:
            yield _tool_message(item, text)
    elif text or images or requests or not results:
        name = as_text(item.get("name"))
        yield Message(role, text, tuple(images), tuple(requests), name=name)


def _parts(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = first((item.get("content"), item.get("contents"), item.get("parts")))
    if isinstance(content, str):
        # A text stays as it is: what a user writes may be JSON, and is still a text.
        yield {"type": "text", "text": content}
        return
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield {"type": "text", "text": part}
        elif isinstance(part, dict):
            inner = part.get("message_content")
            yield inner if isinstance(inner, dict) else part


def _tool_message(item: dict[str, Any], text: str) -> Message:
    content = first((text, item.get("result"), item.get("response"), item.get("content")))
    return Message(
        "tool",
        text,
        call_id=as_text(first((item.get("tool_call_id"), item.get("id")))),
        name=as_text(item.get("name")),
        result=loose(content),
    )


def _result(part: dict[str, Any]) -> Message:
    names = ("response", "result", "content", "output")
    found = first(part.get(name) for name in names)
    identity = first(part.get(n) for n in ("tool_call_id", "tool_use_id", "call_id", "id"))
    value = _plain(found)
    return Message(
        "tool",
        value if isinstance(value, str) else "",
        call_id=as_text(identity),
        name=as_text(part.get("name")),
        result=loose(value),
    )


def _plain(found: Any) -> Any:
    """Anthropic's results are lists of text blocks."""
    if isinstance(found, list) and found and all(_is_text_block(b) for b in found):
        return "\n".join(b["text"] for b in found)
    return found


def _is_text_block(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and "text" in block


def _tool_calls(item: dict[str, Any]) -> Iterator[Any]:
    calls = decoded(item.get("tool_calls"))
    yield from calls if isinstance(calls, list) else ()
    if isinstance(call := item.get("function_call"), dict):
        yield call
    if name := as_text(item.get("function_call_name")):
        yield {"name": name, "arguments": item.get("function_call_arguments_json")}


def read_request(call: Any) -> ToolRequest | None:
    """Read a call that a model asks for; None when it names no tool."""
    if not isinstance(call, dict):
        return None
    call = call.get("tool_call") if isinstance(call.get("tool_call"), dict) else call
    function = call.get("function")
    named = function if isinstance(function, dict) else call
    name = as_text(named.get("name"))
    if name is None:
        return None
    arguments = next((named[n] for n in ("arguments", "input", "args") if n in named), None)
    identity = first(call.get(n) for n in ("call_id", "id"))
    return ToolRequest(name, as_text(identity), loose(arguments))


def _image(part: dict[str, Any]) -> str | None:
    image = first(part.get(n) for n in ("image_url", "image", "uri", "url"))
    while isinstance(image, dict):
        image = first((image.get("url"), image.get("image")))
    data = as_text(part.get("content")) or as_text(part.get("data"))
    if image is None and data and part.get("type") == "blob":
        return f"data:{part.get('mime_type') or ''};base64,{data}"
    return as_text(image)
