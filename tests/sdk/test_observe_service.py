"""What is observed comes to be in the graph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import Bounds, Client, observe

PAGE = Path(__file__).parents[2] / "docs" / "observing.md"
WANTED = {"id": "call_1", "function": {"name": "track", "arguments": '{"parcel": "p7"}'}}


@observe(kind="tool")
def track(parcel: str) -> dict[str, str]:
    """Find out when a parcel comes."""
    return {"due": "Monday"}


@observe(model="auster-mini", provider="auster")
def complete(messages: list[Any]) -> Any:
    """Stand for a model that calls a tool, then answers."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    if len(messages) == 1:
        choice = {"message": {"tool_calls": [WANTED]}, "finish_reason": "tool_calls"}
    else:
        choice = {"message": {"content": "On Monday."}, "finish_reason": "stop"}
    return {"choices": [choice], "model": "auster-mini", "usage": usage}


def converse(session_id: str) -> None:
    """Ask until the tool's result has been read."""
    messages: list[Any] = [{"role": "user", "content": "Where is my parcel?"}]
    with observe(kind="scope", session=session_id, user="u", agent="shipping"):
        complete(messages)
        due = track("p7")["due"]
        messages.append({"role": "tool", "tool_call_id": "call_1", "content": due})
        complete(messages)


@pytest.fixture
def recorded(client: Client, url: str) -> Iterator[None]:
    """Have observations go to the service."""
    key = client.api_keys.create(name="observer", roles=["service"]).api_key
    sdk.configure(url=url, api_key=key, bounds=Bounds(linger_s=0.02))
    yield
    sdk.configure(enabled=False)


@pytest.mark.usefixtures("recorded")
class TestService:
    def test_a_conversation(self, client: Client) -> None:
        converse("s-observed")
        assert sdk.flush(60)
        told = sdk.stats()
        assert (told.recorded, told.stored) == (4, 4)
        (prompt,) = client.sessions.thread("s-observed").prompts
        assert prompt.text == "Where is my parcel?"
        first, second = sorted(prompt.responses, key=lambda r: r.text or "")
        assert second.text == "On Monday."
        (call,) = first.tools
        assert (call.tool_name, call.status) == ("track", "success")
        lineage = client.lineage("response", second.response_id, direction="up", depth=3)
        kinds = {label for node in lineage.nodes for label in node.labels}
        assert {"Prompt", "Agent", "Model", "ToolInvocation"} <= kinds

    def test_everything_that_can_be_said_is_taken(self, client: Client) -> None:
        with pytest.raises(ValueError), observe(session="s-block", tags=["x"]) as call:
            call.prompt("Why?", temperature=0.2)
            call.document("d", "Once.", score=0.5, title="T", uri="u", kind="document")
            call.response("Because.", finish_reason="end_turn")
            call.tokens(3, 4, cached=1)
            call.tool("look", parameters={"a": 1}, result=[2], duration_ms=1.6)
            call.handoff("b", reason="knows more")
            call.metadata(region="x")
            raise ValueError
        assert sdk.flush(60)
        assert sdk.stats().stored == sdk.stats().recorded == 4
        assert client.responses.get(call.response_id).text == "Because."

    def test_the_page(self, client: Client) -> None:
        """What the page shows works, one block after the other."""
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        known: dict[str, Any] = {}
        for block in blocks:
            exec(block, known)
        assert sdk.flush(60)
        assert sdk.stats().stored == sdk.stats().recorded == 5
        assert client.responses.get(known["call"].response_id).text == "It arrives on Monday."

    def test_without_content(self, client: Client) -> None:
        with observe(session="s-withheld", capture_content=False) as call:
            call.prompt("canary-4711")
            call.response("canary-4711")
        assert sdk.flush(60)
        assert sdk.stats().stored == 2
        prompt = client.prompts.get(call.prompt_id)
        assert prompt.text == "[content withheld]"
        assert client.responses.get(call.response_id).text is None
