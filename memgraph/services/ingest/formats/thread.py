"""From the messages of one conversation to events: who asked, who answered, what was called.

=================  ============================================================
system, developer  a document that every later prompt of the session refers to
user               a prompt, ``<session>-p<N>``
assistant          a response to the last prompt, ``<prompt>-r<M>``; its calls are
                   ``<response>-<call id>``, as call ids repeat within real sessions
tool               the result of the open call with its id; one that begins with
                   "Error" has failed. The next response is informed by it
=================  ============================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import (
    HandoffEvent,
    PromptEvent,
    ResponseEvent,
    ScoreEvent,
    SessionEvent,
    ToolEvent,
    first_problem,
)
from memgraph.domain.events.conversation import (
    Context,
    Document,
    FunctionCall,
    Metrics,
    ModelRef,
    PromptBody,
    ResponseBody,
    SessionBody,
    SessionRef,
    ToolCall,
    Usage,
)
from memgraph.domain.values import ContextKind, FinishReason, ScoreSource, ToolStatus
from memgraph.services.ingest.formats.derive import MESSAGE_TOKENS, Clock, count_tokens
from memgraph.services.ingest.formats.known_models import KnownModel
from memgraph.services.ingest.formats.messages import Call, Message, json_or_text, read_message

HUMAN = "human"
"""The agent that stands for the people a conversation is handed to."""
TRANSFER_TOOL = "transfer_to_human_agents"

_TITLE_CHARS = 80
_ERROR_CHARS = 20_000
_GENERATED = (
    "created_at",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "latency_ms",
    "ttft_ms",
    "tokens_per_second",
)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part in a session beside its user."""

    assistant_id: str
    model: ModelRef | None = None
    known_model: KnownModel | None = None
    assumed: tuple[str, ...] = ()
    """Properties of a prompt that its file does not say: of model and application."""


@dataclass(frozen=True, slots=True)
class _Invocation:
    """A call that waits for its result."""

    id: str
    response_id: str
    order: int
    tool_name: str
    arguments: str | None


class Thread:
    """Walks the messages of one session in their order. Used once."""

    def __init__(self, session: SessionRef, cast: Cast, seed: int) -> None:
        self._session = session
        self._cast = cast
        self._clock = Clock(seed, session.id)
        self._created_at = self._clock.now
        self._events: list[tuple[Any, int]] = []
        self._number = 0
        self._tokens = 0
        self._documents: dict[str, Document] = {}
        self._first_text = ""
        self._prompts = 0
        self._responses = 0
        self._open: dict[str, _Invocation] = {}
        self._unread: list[str] = []

    def events(
        self,
        messages: Iterable[Any],
        *,
        title: str | None = None,
        metadata: dict[str, Any] | None = None,
        reward: float | None = None,
    ) -> list[tuple[Any, int]]:
        """List every event with the number of its message, 0 for those of the session.

        Raises InvalidInput for the first fault, with the fact ``message``, its number.
        """
        for self._number, value in enumerate(messages, 1):
            with _faults_at(self._number):
                self._take(read_message(value))
        self._number = 0
        with _faults_at(0):
            if not self._prompts:
                raise InvalidInput("messages", "must hold a user message")
            self._frame(title, metadata, reward)
        return self._events

    def _take(self, message: Message) -> None:
        if message.content.images and message.role != "user":
            raise InvalidInput("content", "may show images in user messages only")
        match message.role:
            case "user":
                self._prompt(message)
            case "assistant":
                self._response(message)
            case "tool":
                self._result(message)
            case _:
                self._document(message.content.text)

    def _add(self, event: Any) -> None:
        self._events.append((event, self._number))

    @property
    def _prompt_id(self) -> str:
        return f"{self._session.id}-p{self._prompts}"

    def _document(self, text: str) -> None:
        self._tokens += count_tokens(text) + MESSAGE_TOKENS
        if text:
            id_ = f"system-{sha256(text.encode()).hexdigest()[:16]}"
            self._documents[id_] = Document(
                id=id_, kind=ContextKind.DOCUMENT, title=_heading(text), content=text
            )

    def _prompt(self, message: Message) -> None:
        text, images = message.content.text, message.content.images
        if not text:
            raise InvalidInput("content", "must not be empty in a user message")
        self._first_text = self._first_text or text
        self._prompts += 1
        self._responses = 0
        tokens = count_tokens(text)
        self._tokens += tokens + MESSAGE_TOKENS
        documents = list(self._documents.values())
        self._add(
            PromptEvent(
                event_id=self._prompt_id,
                timestamp=self._clock.pause(),
                prompt=PromptBody(text=text, images=list(images) or None),
                session=self._session,
                model=self._cast.model,
                context=Context(documents=documents) if documents else None,
                agent_id=self._cast.assistant_id,
                token_count=tokens,
                derived=["created_at", "token_count", *self._cast.assumed],
            )
        )

    def _response(self, message: Message) -> None:
        text, calls = message.content.text, message.tool_calls or []
        if not self._prompts:
            raise InvalidInput("role", "must not be assistant before the first user message")
        if not text and not calls:
            raise InvalidInput("content", "must not be empty without tool calls")
        self._responses += 1
        response_id = f"{self._prompt_id}-r{self._responses}"
        invocations = [_invocation(response_id, n, call) for n, call in enumerate(calls)]
        if len({i.id for i in invocations}) < len(invocations):
            raise InvalidInput("tool_calls", "must have different ids within a message")
        tool_calls = [_tool_call(i) for i in invocations]
        usage, metrics, timestamp = self._generate(_spoken(message))
        self._add(
            ResponseEvent(
                event_id=response_id,
                timestamp=timestamp,
                prompt_event_id=self._prompt_id,
                response=ResponseBody(
                    text=text or None,
                    finish_reason=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
                    tool_calls=tool_calls or None,
                ),
                model=self._cast.model,
                usage=usage,
                metrics=metrics,
                informed_by=self._unread or None,
                derived=self._derived_of_response(),
            )
        )
        self._unread = []
        for call, invocation in zip(calls, invocations, strict=True):
            self._open[call.id] = invocation
            self._hand_over(invocation)

    def _generate(self, spoken: str) -> tuple[Usage, Metrics, Any]:
        """Derive what generating a text took; the time is when it was complete."""
        prompt_tokens, completion_tokens = self._tokens, count_tokens(spoken)
        self._tokens += completion_tokens + MESSAGE_TOKENS
        pace = self._clock.generate(prompt_tokens, completion_tokens)
        known = self._cast.known_model
        usage = Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=prompt_tokens + completion_tokens,
        )
        metrics = Metrics(
            latency=pace.latency_ms,
            ttft=pace.ttft_ms,
            throughput=pace.tokens_per_second,
            cost=known.cost_usd(prompt_tokens, completion_tokens) if known else None,
        )
        return usage, metrics, self._clock.now

    def _derived_of_response(self) -> list[str]:
        model = [name for name in self._cast.assumed if name in ("model_id", "provider")]
        cost = ["cost_usd"] if self._cast.known_model else []
        return [*_GENERATED, *cost, *model]

    def _hand_over(self, invocation: _Invocation) -> None:
        if invocation.tool_name != TRANSFER_TOOL:
            return
        said = json_or_text(invocation.arguments or "")
        said = said if isinstance(said, dict) else {}
        self._add(
            HandoffEvent(
                event_id=f"{invocation.id}-handoff",
                timestamp=self._clock.tick(),
                response_id=invocation.response_id,
                from_agent_id=self._cast.assistant_id,
                to_agent_id=HUMAN,
                handoff_reason=_text_or_none(said.get("reason")),
                context_summary=_text_or_none(said.get("summary")),
            )
        )

    def _result(self, message: Message) -> None:
        if message.tool_call_id is None:
            raise InvalidInput("tool_call_id", "is required")
        call = self._open.pop(message.tool_call_id, None)
        if call is None:
            raise InvalidInput("tool_call_id", "answers no open call")
        text = message.content.text
        failed = text.startswith("Error")
        self._tokens += count_tokens(text) + MESSAGE_TOKENS
        self._unread.append(call.id)
        duration_ms = self._clock.use_tool()
        self._add(
            ToolEvent(
                event_id=f"{call.id}-result",
                timestamp=self._clock.now,
                invocation_id=call.id,
                response_id=call.response_id,
                tool_name=call.tool_name,
                parameters=None if call.arguments is None else json_or_text(call.arguments),
                status=ToolStatus.FAILED if failed else ToolStatus.SUCCESS,
                # An error that is too long to be one is kept whole as the result.
                error=text[:_ERROR_CHARS] if failed else None,
                result=None if failed and len(text) <= _ERROR_CHARS else json_or_text(text),
                duration_ms=duration_ms,
                invocation_order=call.order,
                derived=["created_at", "duration_ms", "status"],
            )
        )

    def _frame(
        self, title: str | None, metadata: dict[str, Any] | None, reward: float | None
    ) -> None:
        """Open the session before its messages, judge and close it behind them."""
        id_ = self._session.id
        derived = ["created_at"] if title else ["created_at", "title"]
        opened = SessionBody(
            **self._session.model_dump(),
            title=title or _shortened(self._first_text),
            metadata=metadata or None,
        )
        created = SessionEvent(
            event_id=f"{id_}-created",
            timestamp=self._created_at,
            action="created",
            session=opened,
            derived=derived,
        )
        self._events.insert(0, (created, 0))
        if reward is not None:
            self._add(
                ScoreEvent(
                    event_id=f"{id_}-reward",
                    timestamp=self._clock.tick(),
                    name="reward",
                    value=reward,
                    source=ScoreSource.BENCHMARK,
                    session_id=id_,
                    metadata={"derived_properties": ["created_at"]},
                )
            )
        self._add(
            SessionEvent(
                event_id=f"{id_}-closed",
                timestamp=self._clock.tick(),
                action="closed",
                session=SessionBody(id=id_),
                derived=[*derived, "closed_at", "is_active"],
            )
        )


@contextmanager
def _faults_at(number: int) -> Iterator[None]:
    """Let what is refused inside say at which message."""
    try:
        yield
    except (InvalidInput, ValidationError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else error
        problem.facts["message"] = number
        raise problem from None


def _invocation(response_id: str, order: int, call: Call) -> _Invocation:
    function = call.function
    return _Invocation(
        f"{response_id}-{call.id}", response_id, order, function.name, function.arguments
    )


def _tool_call(invocation: _Invocation) -> ToolCall:
    return ToolCall(
        id=invocation.id,
        type="function",
        function=FunctionCall(name=invocation.tool_name, arguments=invocation.arguments),
    )


def _spoken(message: Message) -> str:
    """All that a model had to write for a message."""
    calls = (c.function for c in message.tool_calls or ())
    return message.content.text + "".join(f.name + (f.arguments or "") for f in calls)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _heading(text: str) -> str:
    """The first heading of a Markdown text."""
    headings = (line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#"))
    return _shortened(next(filter(None, headings), "System message"))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_CHARS else line[: _TITLE_CHARS - 1].rstrip() + "…"
