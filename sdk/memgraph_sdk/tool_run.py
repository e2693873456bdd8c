"""Observe a tool that runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from memgraph_sdk.content import Content
from memgraph_sdk.ids import new_id
from memgraph_sdk.observation import (
    Arguments,
    Observation,
    Sink,
    Subject,
    error_of,
    present,
    quiet,
)

MAX_PIECES = 1_000
"""Pieces of the result of a generator that are kept."""
MAX_BYTES = 10_000
"""Longest argument of raw bytes that is told; of others, how long they are."""


class ToolRun(Observation):
    """A tool that runs, and the response that called it."""

    def __init__(
        self, sink: Sink, subject: Subject, parent: Observation | None, arguments: Arguments
    ) -> None:
        super().__init__(sink, subject, parent, arguments)
        self.parameters = {name: _bounded(value) for name, value in arguments.items()}
        self.result: Any = None
        self.error: str | None = None
        self.pieces: list[Any] = []
        awaited = None if parent is None else parent.claim(subject.get("name", ""))
        self.invocation_id = new_id() if awaited is None else awaited.invocation_id
        self.response_id = self._adopted() if awaited is None else awaited.response_id

    def _adopted(self) -> str | None:
        around = () if self.parent is None else self.parent.around()
        return next(filter(None, (o.adopt() for o in around)), None)

    @quiet
    def returned(self, result: Any) -> None:
        """Take the result of the tool."""
        extract = self.subject.get("response")
        self.result = _bounded(result if extract is None else extract(result))

    @quiet
    def chunk(self, piece: Any) -> None:
        """Take a piece of the result."""
        if len(self.pieces) < MAX_PIECES:
            self.pieces.append(piece)

    @quiet
    def failed(self, error: BaseException) -> None:
        """Take what the tool raised."""
        self.error = type(error).__name__  # Its words may raise an error of their own.
        self.error = error_text(error, self.sink.content)

    @quiet
    def finish(self) -> None:
        """Record the invocation, once."""
        if self.is_over:
            return
        self.is_over = True
        result = self.pieces if self.result is None and self.pieces else self.result
        event = tool_event(
            self.sink.content,
            self.subject.get("name"),
            self.invocation_id,
            self.response_id,
            parameters=self.parameters,
            result=result,
            error=self.error,
            duration_ms=self.elapsed_ms(),
        )
        self.sink.put(event)


def _bounded(value: Any) -> Any:
    is_long = isinstance(value, bytes | bytearray) and len(value) > MAX_BYTES
    return f"<{len(value)} bytes>" if is_long else value


def error_text(error: BaseException | str, content: Content) -> str:
    """An error in one text: its kind, and its words as contents may be told."""
    told = error_of(error, None, content)
    return ": ".join(told[name] for name in ("type", "message") if name in told) or "error"


def tool_event(
    content: Content,
    name: str | None,
    invocation_id: str,
    response_id: str | None,
    *,
    parameters: Any = None,
    result: Any = None,
    error: str | None = None,
    duration_ms: int | None = None,
) -> dict[str, Any]:
    """The event of a tool that has run. The error is told as it is."""
    event = present(
        type="tool",
        event_id=new_id(),
        timestamp=datetime.now(UTC),
        invocation_id=invocation_id,
        response_id=response_id,
        tool_name=name,
        status="success" if error is None else "failed",
        parameters=content.value(parameters),
        error=error,
        duration_ms=duration_ms,
        metadata=None if content.is_captured else {"content": "withheld"},
    )
    if (told := content.value(result)) is not None:
        # What a tool returns may well be empty.
        event["result"] = told
    return event
