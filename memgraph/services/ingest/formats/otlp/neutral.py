"""The one form that all conventions are read into. What a sender did not say is None or empty.

Nothing here knows attribute names or the graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A model asks for a tool. Arguments are JSON, or the text that is none."""

    name: str
    call_id: str | None = None
    arguments: Any = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a history or an answer. ``result`` and ``call_id`` are a tool's."""

    role: Role
    text: str = ""
    images: tuple[str, ...] = ()
    requests: tuple[ToolRequest, ...] = ()
    call_id: str | None = None
    name: str | None = None
    result: Any = None


@dataclass(frozen=True, slots=True)
class Failure:
    """How a span failed."""

    type: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """Something that was retrieved."""

    content: str | None = None
    id: str | None = None
    score: float | None = None
    metadata: dict[str, Any] | None = None
    title: str | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What any span may say of where it belongs."""

    session_id: str | None = None
    user_id: str | None = None
    agent: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One call of a model. ``output`` holds one message per choice."""

    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    model_requested: str | None = None
    model_answered: str | None = None
    provider: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    finish_reason: str | None = None
    answer_id: str | None = None
    """What the provider calls its answer."""
    first_token_ns: int | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """One call of an embedding model."""

    model: str | None = None
    provider: str | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool ran. ``call_id`` is that of the request it answers."""

    name: str | None = None
    call_id: str | None = None
    arguments: Any = None
    result: Any = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Documents were looked up, best first."""

    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentRun:
    """An agent was at work. ``messages`` are all that it saw and said."""

    agent_id: str | None = None
    name: str | None = None
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Handoff:
    """One agent handed over to another."""

    from_agent: str | None = None
    to_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A step that is none of the others."""


Fact = LlmCall | EmbeddingCall | ToolRun | Retrieval | AgentRun | Handoff | Chain
