"""The desk, traced by OpenTelemetry's own instrumentation and its library for GenAI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.util.genai.handler import get_telemetry_handler
from opentelemetry.util.genai.types import RetrievalDocument

from tests.recording.exporting import logger_provider, provider
from tests.recording.programs.desk import REPLIES, Desk, T, Use
from tests.recording.programs.sdks import OpenAi
from tests.recording.told import Json, Told

__all__ = ["REPLIES", "openai"]


class GenAi:
    def __init__(self) -> None:
        self._handler = get_telemetry_handler()
        self._tracer = trace.get_tracer("desk")
        self._session_id: str | None = None

    @contextmanager
    def session(self, session_id: str, user_id: str) -> Iterator[None]:
        """Only a span of the program's own has a place for who asks."""
        self._session_id = session_id
        said = {"gen_ai.conversation.id": session_id, "user.id": user_id}
        with self._tracer.start_as_current_span("desk", attributes=said):
            yield
        self._session_id = None

    def agent(self, name: str, work: Callable[[], T]) -> T:
        with self._handler.invoke_local_agent(agent_name=name, conversation_id=self._session_id):
            return work()

    def tool(self, call: Json, run: Use) -> str:
        with self._handler.tool(call["name"]) as tool:
            tool.tool_call_id = call["call_id"]
            tool.arguments = call["arguments"]
            tool.tool_result = result = run(call["name"], call["arguments"])
        return result

    def retrieve(self, query: str, documents: list[Json]) -> None:
        with self._handler.retrieval(data_source_id="handbook") as retrieval:
            retrieval.query_text = query
            retrieval.documents = [RetrievalDocument(d["id"], d["score"]) for d in documents]


def openai(told: Told, url: str) -> None:
    provider()
    logger_provider()
    OpenAIInstrumentor().instrument()
    Desk(told, OpenAi(url), GenAi()).run()
