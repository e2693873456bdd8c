"""Ids made of what identifies a fact, so that all who tell of it name it alike.

A message is told again in the history of every later call. Its id holds its session (or
trace), its content, and the how-manieth of the same content it is there. The number counts
equal messages only: a history that a program cuts at its start keeps the ids of the rest.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from memgraph.domain.values import MAX_KEY_CHARS
from memgraph.services.ingest.formats.otlp.neutral import Document, LlmCall, Message
from memgraph.services.ingest.formats.otlp.spans import Span


def digest(*parts: Any) -> str:
    """BLAKE2b-128 of the parts as canonical JSON, hex."""
    data = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
    return blake2b(data, digest_size=16).hexdigest()


def prompt_id(scope: str, message: Message, nth: int) -> str:
    """Id of a user's message, the ``nth`` equal one of its history."""
    return digest("prompt", scope, asked_of(message), nth)


def asked_of(message: Message) -> Any:
    """What identifies a question: its text, else its images. Histories may leave images out."""
    return message.text.strip() or list(message.images)


def unsent_prompt_id(scope: str, span_id: str) -> str:
    """Id of the prompt of a call that did not say what it asked."""
    return digest("unsent prompt", scope, span_id)


def response_id(prompt: str, message: Message, nth: int) -> str:
    """Id of an answer, the ``nth`` equal one to its prompt."""
    return digest("response", prompt, answer_of(message), nth)


def failed_response_id(prompt: str, span_id: str) -> str:
    """Id of a call that failed; no history repeats it."""
    return digest("failed response", prompt, span_id)


def answer_of(message: Message) -> Any:
    """What identifies an answer: its calls, else its text. Some leave out the text beside calls."""
    if message.requests:
        return [r.call_id or [r.name, r.arguments] for r in message.requests]
    return message.text.strip()


def invocation_id(response: str, call_id: str | None, order: int) -> str:
    """Id of a call that a response asks for: call ids repeat, even within a session."""
    key = f"{response}-{call_id or order}"
    if len(key) <= MAX_KEY_CHARS and key.isprintable():
        return key
    return f"{response}-{digest(call_id)}"


def span_invocation_id(span: Span) -> str:
    """Id of a call of a model that has no other name."""
    return digest("invocation", span.trace_id, span.span_id)


def call_id(span: Span, said: LlmCall) -> str:
    """Id of a call: two instrumentations that tell of one agree on what the provider said."""
    if said.answer_id is None:
        return span_invocation_id(span)
    # Some servers number their answers from one, or give all the same id. The tokens of an
    # answer do not tell them apart: of a stream they are not counted alike.
    return digest("invocation", said.answer_id, said.model_answered, said.prompt_tokens)


def document_id(document: Document) -> str:
    """The id that the retriever gave, else one of the content."""
    return document.id or f"document-{digest(document.content)}"
