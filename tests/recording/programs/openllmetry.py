"""The desk, traced by OpenLLMetry: the SDK by its instrumentor, the rest by its decorators.

It has no word for a retrieval but that of a vector store; see ``langchain_agent``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, tool
from traceloop.sdk.instruments import Instruments

from tests.recording.programs.desk import REPLIES, Desk, T, Use
from tests.recording.programs.sdks import Anthropic, OpenAi
from tests.recording.told import Json, Told

__all__ = ["REPLIES", "anthropic", "openai"]


class OpenLlmetry:
    """Its decorators take functions, so what is below an agent is one."""

    @contextmanager
    def session(self, session_id: str, user_id: str) -> Iterator[None]:
        Traceloop.set_association_properties({"session_id": session_id, "user_id": user_id})
        yield
        Traceloop.set_association_properties({})

    def agent(self, name: str, work: Callable[[], T]) -> T:
        done: T = agent(name=name)(work)()
        return done

    def tool(self, call: Json, run: Use) -> str:
        name = call["name"]

        def used(**arguments: Any) -> str:
            return run(name, arguments)

        result: str = tool(name=name)(used)(**call["arguments"])
        return result

    def retrieve(self, query: str, documents: list[Json]) -> None:
        pass


def begin(instrument: Instruments) -> None:
    """Have it instrument one SDK, and send nothing to anyone but the collector."""
    Traceloop.init(
        "desk", exporter=OTLPSpanExporter(), telemetry_enabled=False, instruments={instrument}
    )


def openai(told: Told, url: str) -> None:
    begin(Instruments.OPENAI)
    Desk(told, OpenAi(url), OpenLlmetry()).run()


def anthropic(told: Told, url: str) -> None:
    begin(Instruments.ANTHROPIC)
    Desk(told, Anthropic(url), OpenLlmetry()).run()
