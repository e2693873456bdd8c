"""Walk one history: which message is a prompt, a response to it, a result it had read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from memgraph.services.ingest.formats.otlp import identity
from memgraph.services.ingest.formats.otlp.conventions.messages import joined
from memgraph.services.ingest.formats.otlp.neutral import Message, ToolRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A response asked for a tool."""

    invocation_id: str
    response_id: str
    order: int
    request: ToolRequest


@dataclass(frozen=True, slots=True)
class PromptStep:
    """A user's message. ``opening`` are the messages before the first one."""

    id: str
    message: Message
    number: int
    previous_id: str | None
    opening: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ResponseStep:
    """An assistant's message."""

    id: str
    message: Message
    number: int
    prompt_id: str
    informed_by: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class ResultStep:
    """The result of a tool, as it was given to the model."""

    asked: Asked
    message: Message
    number: int


Step = PromptStep | ResponseStep | ResultStep


class History:
    """Gives every message of a history its id and its place. Used once.

    A message before the first prompt belongs to none, as does the result of a call that was
    cut away: they give no step.
    """

    def __init__(self, scope: str, messages: Iterable[Message]) -> None:
        self._scope = scope
        self._prompts: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self.unread: list[str] = []
        """Invocations whose results no answer has followed yet."""
        self._open: dict[str, Asked] = {}
        self._opening: list[Message] = []
        self.system: list[Message] = []
        self.prompt: PromptStep | None = None
        self.steps: list[Step] = []
        self.length = 0
        for message in joined(tuple(messages)):
            self._take(message)
            self.length += 1

    @property
    def asks(self) -> PromptStep | None:
        """The prompt that the history ends with, if a model has not answered it yet."""
        last = self.steps[-1] if self.steps else None
        return last if isinstance(last, PromptStep) else None

    def answer(self, message: Message, prompt_id: str, others: Counter[str]) -> ResponseStep:
        """Place the answer to this history; ``others`` counts equal ones of other calls."""
        said = identity.digest(identity.answer_of(message))
        base = identity.response_id(prompt_id, message, self._answers[said])
        nth = self._answers[said] + others[base]
        others[base] += 1
        return self._response(message, prompt_id, nth)

    def _take(self, message: Message) -> None:
        match message.role:
            case "user":
                self._ask(message)
            case "assistant":
                self._say(message)
            case "tool":
                self._read(message)
            case _:
                self.system.append(message)

    def _ask(self, message: Message) -> None:
        said = identity.digest(identity.asked_of(message))
        id_ = identity.prompt_id(self._scope, message, self._prompts[said])
        self._prompts[said] += 1
        previous = self.prompt.id if self.prompt else None
        self.prompt = PromptStep(id_, message, self.length, previous, tuple(self._opening))
        self._opening = []
        self._answers.clear()
        self.unread = []
        self.steps.append(self.prompt)

    def _say(self, message: Message) -> None:
        if not message.text.strip() and not message.requests:
            return
        if self.prompt is None:
            self._opening.append(message)
            return
        said = identity.digest(identity.answer_of(message))
        step = self._response(message, self.prompt.id, self._answers[said])
        self._answers[said] += 1
        self.unread = []
        self._open.update({a.request.call_id or a.request.name: a for a in step.asked})
        self.steps.append(step)

    def _response(self, message: Message, prompt_id: str, nth: int) -> ResponseStep:
        id_ = identity.response_id(prompt_id, message, nth)
        asked = tuple(
            Asked(identity.invocation_id(id_, r.call_id, n), id_, n, r)
            for n, r in enumerate(message.requests)
        )
        return ResponseStep(id_, message, self.length, prompt_id, tuple(self.unread), asked)

    def _read(self, message: Message) -> None:
        asked = self._open.pop(message.call_id or message.name or "", None)
        if asked is None:
            return
        self.unread.append(asked.invocation_id)
        self.steps.append(ResultStep(asked, message, self.length))
