"""A LangChain agent with two tools, one of which looks documents up, in two turns of a thread."""

from __future__ import annotations

import json
from contextlib import suppress

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from traceloop.sdk import Traceloop
from traceloop.sdk.instruments import Instruments

from tests.recording.model import MODEL, Reply
from tests.recording.programs.openllmetry import begin
from tests.recording.told import Json, Told

_AGENT = "parcel_desk"
_HANDBOOK = [
    ("Parcels may come back within 30 days.", 0.92),
    ("Opened food may not come back.", 0.41),
]
_ASKED: list[Json] = [
    {"id": "call_01", "name": "find_order", "arguments": {"order": "1182"}},
    {"id": "call_02", "name": "look_up", "arguments": {"query": "coming back"}},
]
_WHERE = "May order 1182 come back?"
_HERE = "It may, until 2026-02-02."
_LIMITED = "Is anybody there?"

REPLIES = [
    Reply(tool_calls=_ASKED, prompt_tokens=40, completion_tokens=12, cached_tokens=16),
    Reply(_HERE, prompt_tokens=75, completion_tokens=18),
    Reply("You are welcome.", prompt_tokens=90, completion_tokens=4),
    Reply(error=(429, "Rate limit reached for the organization of nobody.")),
]


class Handbook(BaseRetriever):
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document(page_content=t, metadata={"score": score}) for t, score in _HANDBOOK]


def openllmetry(told: Told, url: str) -> None:
    begin(Instruments.LANGCHAIN)
    Program(told, url).run()


class Program:
    def __init__(self, told: Told, url: str) -> None:
        self._told = told

        @tool
        def find_order(order: str) -> str:
            """Find the parcel of an order."""
            found = json.dumps({"order": order, "parcel": "p-7"})
            told.step("tool", **_ASKED[0], result=found)
            return found

        @tool
        def look_up(query: str) -> str:
            """Look something up in the handbook."""
            documents = [
                {"id": None, "text_start": text[:40], "score": score} for text, score in _HANDBOOK
            ]
            told.step("retrieval", prompt=_WHERE, documents=documents)
            found = "\n".join(d.page_content for d in Handbook().invoke(query))
            told.step("tool", **_ASKED[1], result=found)
            return found

        model = ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key="none", max_retries=0)
        self._agent = create_agent(
            model,
            tools=[find_order, look_up],
            system_prompt="You run a parcel desk.",
            name=_AGENT,
            checkpointer=InMemorySaver(),
        )

    def run(self) -> None:
        Traceloop.set_association_properties({"session_id": "s-desk", "user_id": "u-ada"})
        self._told.converse("s-desk", "u-ada")
        self._ask("s-desk", _WHERE, _HERE)
        self._ask("s-desk", "Thanks!", "You are welcome.")
        Traceloop.set_association_properties({})
        self._told.converse("t-night")
        with suppress(Exception):
            self._ask("t-night", _LIMITED, None)

    def _ask(self, thread_id: str, asked: str, answered: str | None) -> None:
        self._told.turn(asked, answered)
        self._told.agent = _AGENT
        self._told.step("agent", name=_AGENT)
        try:
            self._agent.invoke(
                {"messages": [{"role": "user", "content": asked}]},
                {"configurable": {"thread_id": thread_id}},
            )
        finally:
            self._told.agent = None
