"""The desk, traced by the instrumentation that tells of messages in log records.

At its time no library told of agents and tools; the program does, by the conventions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

from tests.recording.exporting import logger_provider, provider
from tests.recording.programs.desk import REPLIES, Desk, T, Use
from tests.recording.programs.sdks import OpenAi
from tests.recording.told import Json, Told

__all__ = ["REPLIES", "openai"]


class ByHand:
    def __init__(self) -> None:
        self._tracer = trace.get_tracer("desk")

    def _span(self, operation: str, name: str, **said: str) -> AbstractContextManager[Any]:
        told = {f"gen_ai.{key.replace('__', '.')}": value for key, value in said.items()}
        told["gen_ai.operation.name"] = operation
        return self._tracer.start_as_current_span(f"{operation} {name}", attributes=told)

    def session(self, session_id: str, user_id: str) -> AbstractContextManager[Any]:
        said = {"session.id": session_id, "user.id": user_id}
        return self._tracer.start_as_current_span("desk", attributes=said)

    def agent(self, name: str, work: Callable[[], T]) -> T:
        with self._span("invoke_agent", name, agent__name=name):
            return work()

    def tool(self, call: Json, run: Use) -> str:
        name = call["name"]
        with self._span("execute_tool", name, tool__name=name, tool__call__id=call["call_id"]):
            return run(name, call["arguments"])

    def retrieve(self, query: str, documents: list[Json]) -> None:
        told = json.dumps(documents)
        with self._span("retrieval", "handbook", retrieval__documents=told):
            pass


def openai(told: Told, url: str) -> None:
    provider()
    logger_provider()
    OpenAIInstrumentor().instrument()
    Desk(told, OpenAi(url), ByHand()).run()
