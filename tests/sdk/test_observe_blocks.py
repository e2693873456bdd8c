"""What is recorded of blocks, and of observations inside each other."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import observe

from tests.sdk.door import Door
from tests.sdk.observing import Failure, delivered, track

pytestmark = pytest.mark.usefixtures("observed")


class TestBlocks:
    def test_everything_that_can_be_said(self, door: Door) -> None:
        with observe(session="s", agent="a", model="m") as call:
            call.prompt("why", temperature=0.1)
            call.document("d", "Once.", score=0.5, title="T", uri="u", kind="document")
            call.document("e", chunk_id="3")
            call.response("because", finish_reason="end_turn")
            call.tokens(3, 4, cached=1)
            call.tool("look", parameters={"a": 1}, result=[2], duration_ms=1.6)
            call.tool("find", error=Failure("no way"), id="t")
            call.handoff("b", reason="knows more")
            call.metadata(region="x")
        prompt, response = delivered(door).only("prompt"), door.only("response")
        assert prompt["context"]["documents"] == [
            {
                "id": "d",
                "content": "Once.",
                "relevance_score": 0.5,
                "title": "T",
                "uri": "u",
                "kind": "document",
            },
            {"id": "e", "chunk_id": "3"},
        ]
        assert prompt["model"]["parameters"] == {"temperature": 0.1}
        assert (prompt["event_id"], response["event_id"]) == (call.prompt_id, call.response_id)
        assert call.session_id == "s"
        assert response["response"] == {
            "text": "because",
            "finish_reason": "stop",
            "metadata": {"region": "x"},
        }
        assert response["usage"] == {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": 7,
            "cached_tokens": 1,
        }
        look, find = door.of("tool")
        assert {look["response_id"], find["response_id"]} == {call.response_id}
        assert (look["parameters"], look["result"], look["status"], look["duration_ms"]) == (
            {"a": 1},
            [2],
            "success",
            2,
        )
        assert (find["invocation_id"], find["status"], find["error"]) == (
            "t",
            "failed",
            "Failure: no way",
        )
        handoff = door.only("handoff")
        assert (handoff["from_agent_id"], handoff["to_agent_id"]) == ("a", "b")

    def test_a_stream_in_a_block(self, door: Door) -> None:
        with observe() as call:
            call.prompt("why")
            for piece in ("it ", "depends"):
                call.chunk(piece)
        response = delivered(door).only("response")
        assert response["response"]["text"] == "it depends"
        assert "ttft" in response["metrics"]

    def test_an_error_in_a_block(self, door: Door) -> None:
        with pytest.raises(Failure), observe() as call:
            call.prompt("why")
            raise Failure("no")
        assert delivered(door).only("response")["error"]["type"] == "Failure"

    def test_an_error_that_was_handled(self, door: Door) -> None:
        with observe() as call:
            call.prompt("why")
            call.error("quota", code="429")
        response = delivered(door).only("response")
        assert response["error"] == {"message": "quota", "code": "429"}

    def test_an_async_block(self, door: Door) -> None:
        async def main() -> None:
            async with observe(session="s") as call:
                call.prompt("why")
                await asyncio.sleep(0)
                call.response("because")

        asyncio.run(main())
        assert delivered(door).only("prompt")["session"]["id"] == "s"

    def test_a_block_in_which_nothing_is_said(self, door: Door) -> None:
        with observe(session="s"):
            pass
        assert delivered(door).stored == {}

    def test_wrong_words_do_no_harm(self, door: Door) -> None:
        with observe() as call:
            call.prompt(7)
            call.tokens("many", -1)  # type: ignore[arg-type]
            call.document("d", score="high")  # type: ignore[arg-type]
            call.response("because", finish_reason="mood")
        assert sdk.flush(60)
        assert sdk.stats().errors == 1
        assert "usage" not in door.only("response")

    def test_one_observer_around_blocks_at_the_same_time(self, door: Door) -> None:
        observer, meet = observe(agent="a"), threading.Barrier(2)

        def work(text: str) -> None:
            with observer as call:
                call.prompt(text)
                meet.wait(60)
                call.response(text.upper())

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, ["x", "y"]))
        prompts = {p["event_id"]: p["prompt"]["text"] for p in delivered(door).of("prompt")}
        for response in door.of("response"):
            assert response["response"]["text"] == prompts[response["prompt_event_id"]].upper()

    def test_a_block_that_ends_in_another_context(self, door: Door) -> None:
        block = observe()
        call = contextvars.copy_context().run(block.__enter__)
        call.prompt("why")
        contextvars.copy_context().run(block.__exit__, None, None, None)
        block.__exit__(None, None, None)
        assert delivered(door).only("prompt")["prompt"]["text"] == "why"

    def test_a_tool_is_no_block(self) -> None:
        with pytest.raises(TypeError, match="decorating"), observe(kind="tool"):
            pass


class TestNesting:
    def test_a_tool_belongs_to_the_call_around_it(self, door: Door) -> None:
        @observe
        def ask(question: str) -> str:
            return track("p7")["due"]

        ask("when")
        tool = delivered(door).only("tool")
        assert tool["response_id"] == door.only("response")["event_id"]
        assert (tool["tool_name"], tool["parameters"]) == ("track", {"parcel": "p7"})
        assert (tool["result"], tool["status"]) == ({"due": "Monday"}, "success")
        assert tool["duration_ms"] >= 0

    def test_a_tool_that_fails(self, door: Door) -> None:
        with observe() as call:
            call.prompt("when")
            with pytest.raises(Failure):
                track("lost")
        tool = delivered(door).only("tool")
        assert (tool["status"], tool["error"]) == ("failed", "Failure: not found")

    def test_a_tool_by_itself(self, door: Door) -> None:
        track("p7")
        assert "response_id" not in delivered(door).only("tool")

    def test_a_tool_that_streams(self, door: Door) -> None:
        @observe(kind="tool")
        def rows(table: str) -> Iterator[int]:
            yield from (1, 2)

        assert list(rows("t")) == [1, 2]
        assert delivered(door).only("tool")["result"] == [1, 2]

    def test_a_tool_in_a_tool(self, door: Door) -> None:
        @observe(kind="tool", response=lambda found: found["due"])
        def plan(parcel: str) -> dict[str, str]:
            return track(parcel)

        with observe() as call:
            call.prompt("when")
            plan("p7")
        assert {t["response_id"] for t in delivered(door).of("tool")} == {call.response_id}
        assert door.of("tool")[1]["result"] == "Monday"

    def test_the_session_goes_inwards(self, door: Door) -> None:
        @observe
        def ask(question: str) -> str:
            return "because"

        with observe(session="s", user="u", agent="a", kind="scope"):
            ask("why")
            ask("how")
        ask("who")
        *inner, outer = delivered(door).of("prompt")
        assert [p["session"] for p in inner] == [{"id": "s", "user_id": "u"}] * 2
        assert [p["agent_id"] for p in inner] == ["a", "a"]
        assert outer["session"]["id"] != "s"

    def test_a_block_around_calls_is_but_a_frame(self, door: Door) -> None:
        with pytest.raises(Failure), observe(session="s"):
            observe(lambda question: "because")("why")
            track("p7")
            raise Failure
        tool, response = delivered(door).only("tool"), door.only("response")
        assert tool["response_id"] == response["event_id"]
        assert len(door.of("prompt")) == 1

    def test_a_tool_alone_in_a_block_makes_it_a_call(self, door: Door) -> None:
        with observe(session="s") as call:
            track("p7")
        assert delivered(door).only("tool")["response_id"] == call.response_id
        assert door.only("response")["event_id"] == call.response_id

    def test_a_tool_that_the_model_asked_for(self, door: Door) -> None:
        """An agent's loop: one prompt, two responses, one run of a tool that has read one."""
        wanted = {"id": "call_1", "function": {"name": "track", "arguments": '{"parcel":"p7"}'}}
        messages: list[Any] = [{"role": "user", "content": "when"}]

        @observe
        def ask(messages: list[Any]) -> Any:
            if len(messages) == 1:
                return {"choices": [{"message": {"tool_calls": [wanted]}}]}
            return "On Monday."

        with observe(session="s"):
            ask(messages)
            messages.append({"role": "assistant", "tool_calls": [wanted]})
            messages.append({"role": "tool", "tool_call_id": "call_1", "content": str(track("p7"))})
            ask(messages)
        tool, prompt = delivered(door).only("tool"), door.only("prompt")
        first, second = door.of("response")
        assert first["response"]["tool_calls"] == [wanted]
        assert (tool["invocation_id"], tool["response_id"]) == ("call_1", first["event_id"])
        assert {r["prompt_event_id"] for r in (first, second)} == {prompt["event_id"]}
        assert second["informed_by"] == ["call_1"]

    def test_a_wanted_tool_is_run_once(self, door: Door) -> None:
        wanted = {"id": "call_1", "function": {"name": "track", "arguments": "{}"}}
        with observe() as call:
            call.prompt("when")
            call.response({"choices": [{"message": {"tool_calls": [wanted]}}]})
            call.tool("track", result=1)
            track("p7")
        first, second = delivered(door).of("tool")
        assert first["invocation_id"] == "call_1"
        assert second["invocation_id"] != "call_1"

    def test_tasks_and_copied_contexts(self, door: Door) -> None:
        async def tool_task() -> None:
            await asyncio.to_thread(track, "p7")

        @observe
        async def ask(question: str) -> str:
            await asyncio.gather(tool_task(), tool_task())
            context = contextvars.copy_context()
            thread = threading.Thread(target=lambda: context.run(track, "p8"))
            thread.start()
            thread.join()
            return "soon"

        asyncio.run(ask("when"))
        response_id = delivered(door).only("response")["event_id"]
        assert [t["response_id"] for t in door.of("tool")] == [response_id] * 3

    def test_calls_side_by_side_do_not_meet(self, door: Door) -> None:
        @observe
        async def ask(question: str) -> str:
            await asyncio.sleep(0.01)
            return track(question)["due"]

        async def main() -> None:
            await asyncio.gather(*(ask(str(n)) for n in range(20)))

        asyncio.run(main())
        prompts = {p["event_id"]: p["prompt"]["text"] for p in delivered(door).of("prompt")}
        said = {r["event_id"]: prompts[r["prompt_event_id"]] for r in door.of("response")}
        assert len({p["session"]["id"] for p in door.of("prompt")}) == 20
        for tool in door.of("tool"):
            assert said[tool["response_id"]] == tool["parameters"]["parcel"]

    def test_inside_a_function_the_call_can_be_spoken_to(self, door: Door) -> None:
        @observe
        def ask(question: str) -> str:
            sdk.current_call().tokens(1, 2)
            sdk.current_call().response("as said")
            return "as returned"

        assert ask("why") == "as returned"
        assert delivered(door).only("response")["response"]["text"] == "as said"
        assert door.only("response")["usage"]["total_tokens"] == 3
