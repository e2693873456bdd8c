"""The desk, traced by OpenInference: the SDK by its instrumentor, the rest by its tracer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from openinference.instrumentation import OITracer, TraceConfig, using_attributes
from openinference.semconv.trace import DocumentAttributes, SpanAttributes
from opentelemetry import trace

from tests.recording.exporting import provider
from tests.recording.programs.desk import REPLIES, Desk, T, Use
from tests.recording.programs.sdks import Anthropic, OpenAi
from tests.recording.told import Json, Told

__all__ = ["REPLIES", "anthropic", "openai"]


class OpenInference:
    def __init__(self) -> None:
        self._tracer = OITracer(trace.get_tracer("desk"), TraceConfig())

    def session(self, session_id: str, user_id: str) -> AbstractContextManager[Any]:
        return using_attributes(session_id=session_id, user_id=user_id, tags=["desk"])

    def agent(self, name: str, work: Callable[[], T]) -> T:
        told = {SpanAttributes.AGENT_NAME: name}
        with self._tracer.start_as_current_span(
            name, openinference_span_kind="agent", attributes=told
        ):
            return work()

    def tool(self, call: Json, run: Use) -> str:
        name = call["name"]
        with self._tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
            span.set_tool(name=name, parameters=call["arguments"])
            span.set_input(call["arguments"])
            result = run(name, call["arguments"])
            span.set_output(result)
            return result

    def retrieve(self, query: str, documents: list[Json]) -> None:
        with self._tracer.start_as_current_span(
            "handbook", openinference_span_kind="retriever"
        ) as span:
            span.set_input(query)
            for number, document in enumerate(documents):
                prefix = f"{SpanAttributes.RETRIEVAL_DOCUMENTS}.{number}"
                span.set_attribute(f"{prefix}.{DocumentAttributes.DOCUMENT_ID}", document["id"])
                text = f"{prefix}.{DocumentAttributes.DOCUMENT_CONTENT}"
                span.set_attribute(text, document["content"])
                score = f"{prefix}.{DocumentAttributes.DOCUMENT_SCORE}"
                span.set_attribute(score, document["score"])
            span.set_output(json.dumps([document["id"] for document in documents]))


def openai(told: Told, url: str) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider())
    Desk(told, OpenAi(url), OpenInference()).run()


def anthropic(told: Told, url: str) -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument(tracer_provider=provider())
    Desk(told, Anthropic(url), OpenInference()).run()
