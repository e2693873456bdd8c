"""Put together what a model answers piece by piece."""

from __future__ import annotations

from typing import Any

from memgraph_sdk.answered import Answered, ToolCall, answered, reason, usage_of
from memgraph_sdk.asked import items, read, word
from memgraph_sdk.encoding import MAX_TEXT_CHARS


class Streamed:
    """The pieces of one answer so far: texts, or events of the shapes of common vendors."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._characters = 0
        self._calls: dict[Any, ToolCall] = {}
        self._answer = Answered()

    def add(self, piece: Any) -> bool:
        """Take one more piece; say whether it carries something of the answer."""
        if isinstance(piece, str):
            return self._add_text(piece)
        if choices := items(read(piece, "choices")):
            return self._add_choice(piece, choices[0])
        self._answer.take(usage_of(read(piece, "usage")))
        return self._add_event(piece)

    def answer(self) -> Answered:
        """What was answered so far."""
        found = Answered(word("".join(self._parts)))
        found.take(self._answer)
        if self._calls:
            found.tool_calls = list(self._calls.values())
        return found

    def _add_text(self, text: Any) -> bool:
        if not word(text):
            return False
        if self._characters <= MAX_TEXT_CHARS:
            self._parts.append(text)
        self._characters += len(text)
        return True

    def _add_choice(self, piece: Any, choice: Any) -> bool:
        """A piece of a chat completion, or of a completion of the older kind."""
        self._answer.take(usage_of(read(piece, "usage")))
        self._answer.model = word(read(piece, "model")) or self._answer.model
        self._answer.finish_reason = (
            reason(read(choice, "finish_reason")) or self._answer.finish_reason
        )
        delta = read(choice, "delta")
        calls = items(read(delta, "tool_calls"))
        for call in calls:
            function = read(call, "function")
            self._add_call(
                read(call, "index"),
                read(call, "id"),
                read(function, "name"),
                read(function, "arguments"),
            )
        return self._add_text(read(delta, "content") or read(choice, "text")) or bool(calls)

    def _add_event(self, piece: Any) -> bool:
        """An event of a stream of messages, or of a stream of responses."""
        kind = read(piece, "type")
        if kind == "response.output_text.delta":
            return self._add_text(read(piece, "delta"))
        if kind in ("response.completed", "response.incomplete", "response.failed"):
            self._answer.take(answered(read(piece, "response")))
            return False
        if kind == "message_start":
            self._answer.take(answered(read(piece, "message")))
            return False
        if kind == "message_delta":
            self._answer.finish_reason = reason(read(read(piece, "delta"), "stop_reason"))
            return False
        if kind == "content_block_start":
            return self._add_block(piece, read(piece, "content_block"))
        if kind == "content_block_delta":
            return self._add_delta(piece, read(piece, "delta"))
        return False

    def _add_block(self, piece: Any, block: Any) -> bool:
        if read(block, "type") != "tool_use":
            return self._add_text(read(block, "text"))
        self._add_call(read(piece, "index"), read(block, "id"), read(block, "name"), "")
        return True

    def _add_delta(self, piece: Any, delta: Any) -> bool:
        if partial := word(read(delta, "partial_json")):
            self._add_call(read(piece, "index"), None, None, partial)
            return True
        return self._add_text(read(delta, "text"))

    def _add_call(self, index: Any, id_: Any, name: Any, arguments: Any) -> None:
        """Add to a tool call, which comes in pieces that name its place."""
        call = self._calls.setdefault(index, ToolCall("", ""))
        call.id = word(id_) or call.id
        call.name = word(name) or call.name
        if isinstance(arguments, str):
            call.arguments = (call.arguments or "") + arguments
