"""A parcel desk written by hand: an agent with a retriever and two tools, by a bare SDK.

What a library has to be told (session, agent, tool, retrieval) an ``Instrumentation`` tells it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol, TypeVar

from tests.recording.model import Reply
from tests.recording.told import Json, Told

T = TypeVar("T")
Use = Callable[[str, Json], str]

SYSTEM = "You run a parcel desk."
AGENT = "parcel_desk"
NIGHT = "night_desk"
TOOLS = {
    "find_order": ("Find the parcel of an order.", "order"),
    "track": ("Say where a parcel is.", "parcel"),
}
DOCUMENTS = [
    {"id": "doc-returns", "content": "Parcels may come back within 30 days.", "score": 0.92},
    {"id": "doc-food", "content": "Opened food may not come back.", "score": 0.41},
]
_ASKED = [
    {"id": "call_01", "name": "find_order", "arguments": {"order": "1182"}},
    {"id": "call_02", "name": "track", "arguments": {"parcel": "p-9"}},
]
_FAILURE = "station offline: p-9"
_WHERE = "Where is order 1182, and may it come back?"
_HERE = "Parcel p-7 may come back within 30 days; p-9 cannot be tracked."
_CARD = "Write a line for the card."
_LINE = "Für Pixel, die schönste 猫 — “purr”"
_LIMITED = "Is anybody there?"

REPLIES = [
    Reply(tool_calls=_ASKED, prompt_tokens=40, completion_tokens=12, cached_tokens=16),
    Reply(_HERE, prompt_tokens=75, completion_tokens=18, cached_tokens=32),
    Reply(_LINE, prompt_tokens=90, completion_tokens=9),
    Reply(error=(429, "Rate limit reached for the organization of nobody.")),
    Reply("Yes.", prompt_tokens=11, completion_tokens=2),
]


class Instrumentation(Protocol):
    """How one library is told what no SDK of a model knows."""

    def session(self, session_id: str, user_id: str) -> AbstractContextManager[Any]: ...

    def agent(self, name: str, work: Callable[[], T]) -> T: ...

    def tool(self, call: Json, run: Use) -> str: ...

    def retrieve(self, query: str, documents: list[Json]) -> None: ...


class Sdk(Protocol):
    """A client of a model, and the words in which it wants messages."""

    failures: type[Exception]

    def ask(self, messages: list[Json], *, streamed: bool = False) -> Json:
        """Return the answer as OpenAI's message, whatever the SDK."""

    def embed(self, texts: list[str]) -> None: ...


class Desk:
    """The program."""

    def __init__(self, told: Told, sdk: Sdk, tells: Instrumentation) -> None:
        self._told = told
        self._sdk = sdk
        self._tells = tells

    def run(self) -> None:
        self._told.converse("s-desk", "u-ada")
        with self._tells.session("s-desk", "u-ada"):
            messages = self._with_tools()
            self._streamed(messages)
        self._told.converse()
        self._told.turn(_LIMITED, None)
        self._told.agent = NIGHT
        self._told.step("agent", name=NIGHT)
        self._tells.agent(NIGHT, self._fail)
        self._told.agent = None
        self._told.converse()
        self._told.turn("And now?", "Yes.")
        self._sdk.ask([{"role": "user", "content": "And now?"}])
        self._told.converse()
        self._sdk.embed(["first text", "second text"])

    def _fail(self) -> None:
        with suppress(self._sdk.failures):
            self._sdk.ask([{"role": "user", "content": _LIMITED}])

    def _with_tools(self) -> list[Json]:
        self._told.turn(_WHERE, _HERE)
        self._told.agent = AGENT
        self._told.step("agent", name=AGENT)
        messages = self._tells.agent(AGENT, self._work)
        self._told.agent = None
        return messages

    def _work(self) -> list[Json]:
        documents = [
            {"id": d["id"], "text_start": d["content"][:40], "score": d["score"]} for d in DOCUMENTS
        ]
        self._told.step("retrieval", prompt=_WHERE, documents=documents)
        self._tells.retrieve(_WHERE, DOCUMENTS)
        messages: list[Json] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": _WHERE},
        ]
        messages.append(self._sdk.ask(messages))
        messages += [self._use(call) for call in messages[-1]["tool_calls"]]
        return [*messages, self._sdk.ask(messages)]

    def _streamed(self, messages: list[Json]) -> None:
        self._told.turn(_CARD, _LINE)
        self._sdk.ask([*messages, {"role": "user", "content": _CARD}], streamed=True)

    def _use(self, call: Json) -> Json:
        function = call["function"]
        arguments = json.loads(function["arguments"])
        wanted = {"name": function["name"], "arguments": arguments, "call_id": call["id"]}
        try:
            result = self._tells.tool(wanted, use)
        except RuntimeError as error:
            told = {"type": type(error).__name__, "message": str(error)}
            self._told.step("tool", **wanted, error=told)
            result = f"error: {error}"
        else:
            self._told.step("tool", **wanted, result=result)
        return {"role": "tool", "tool_call_id": call["id"], "content": result}


def use(name: str, arguments: Json) -> str:
    """Run a tool. Raises RuntimeError for the parcel of which nobody knows."""
    if name == "find_order":
        return json.dumps({"order": arguments["order"], "parcel": "p-7"})
    raise RuntimeError(_FAILURE)
