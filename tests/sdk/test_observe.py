"""What observers record of functions and blocks, and that the host notices nothing of it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import observe

from tests.sdk.door import Door

pytestmark = pytest.mark.usefixtures("observed")


def delivered(door: Door) -> Door:
    """The door, when all has come in that was observed; nothing was lost on the way."""
    assert sdk.flush(5)
    told = sdk.stats()
    assert (told.errors, told.rejected, told.dropped, told.failed) == (0, 0, 0, 0)
    assert told.recorded == told.sent == len(door.stored)
    return door


class TestFunctions:
    def test_a_function(self, door: Door) -> None:
        @observe
        def ask(question: str) -> str:
            return f"No, not {question}"

        assert ask("today?") == "No, not today?"
        prompt, response = delivered(door).only("prompt"), door.only("response")
        assert prompt["prompt"]["text"] == "today?"
        assert prompt["prompt"]["metadata"] == {"function": "ask"}
        assert response["prompt_event_id"] == prompt["event_id"]
        assert response["response"] == {"text": "No, not today?"}
        assert response["metrics"]["latency"] >= 0
        assert response["timestamp"] >= prompt["timestamp"]

    def test_what_the_observer_is_told(self, door: Door) -> None:
        @observe(
            session="s",
            user="u",
            application="app",
            agent="a",
            model="m",
            provider="p",
            tags=["x"],
            classification="internal",
            name="asking",
        )
        def ask(question: str) -> str:
            return question

        ask("why")
        prompt = delivered(door).only("prompt")
        assert prompt["session"] == {"id": "s", "user_id": "u", "application_id": "app"}
        assert prompt["model"] == {"id": "m", "provider": "p"}
        assert (prompt["agent_id"], prompt["tags"], prompt["classification"]) == (
            "a",
            ["x"],
            "internal",
        )
        assert prompt["prompt"]["metadata"] == {"function": "asking"}
        assert door.only("response")["model"] == {"id": "m", "provider": "p"}

    def test_what_the_arguments_tell(self, door: Door) -> None:
        @observe
        def ask(model: str, question: str, session_id: str, **more: Any) -> None: ...

        ask("m", "why", session_id="s", user_id="u", temperature=0.5, top_p=7, max_tokens=True)
        prompt = delivered(door).only("prompt")
        assert prompt["prompt"]["text"] == "why"
        assert prompt["session"] == {"id": "s", "user_id": "u"}
        assert prompt["model"] == {"id": "m", "parameters": {"temperature": 0.5}}

    def test_methods_of_every_kind(self, door: Door) -> None:
        class Model:
            @observe
            def ask(self, question: str) -> str:
                return question + "!"

            @observe
            @classmethod
            def about(cls, question: str) -> str:
                return cls.__name__

            @staticmethod
            @observe
            def free(question: str) -> str:
                return question

        assert (Model().ask("a"), Model.about("b"), Model.free("c")) == ("a!", "Model", "c")
        texts = [p["prompt"]["text"] for p in delivered(door).of("prompt")]
        assert texts == ["a", "b", "c"]

    def test_the_function_stays_what_it_is(self) -> None:
        async def coroutine() -> None: ...
        def generator() -> Iterator[str]:
            yield ""

        async def stream() -> AsyncIterator[str]:
            yield ""

        assert inspect.iscoroutinefunction(observe(coroutine))
        assert inspect.isgeneratorfunction(observe(generator))
        assert inspect.isasyncgenfunction(observe(stream))
        assert observe(coroutine).__name__ == "coroutine"

    def test_no_text_is_made_up(self, door: Door) -> None:
        @observe
        def ask() -> int:
            return 7

        assert ask() == 7
        prompt = delivered(door).only("prompt")
        assert prompt["prompt"]["text"] == "[no text]"
        assert prompt["derived"] == ["text"]
        assert door.only("response")["response"]["text"] == "7"

    def test_extractors(self, door: Door) -> None:
        def found(question: dict[str, str]) -> str:
            return question["words"]

        @observe(prompt=found, response=lambda pair: pair[1])
        def ask(question: dict[str, str]) -> tuple[int, str]:
            return 1, "because"

        assert ask({"words": "why"}) == (1, "because")
        assert delivered(door).only("prompt")["prompt"]["text"] == "why"
        assert door.only("response")["response"]["text"] == "because"

    def test_arguments_beyond_the_named(self, door: Door) -> None:
        @observe(kind="tool")
        def add(*numbers: int) -> int:
            return sum(numbers)

        assert add(1, 2) == 3
        assert delivered(door).only("tool")["parameters"] == {"argument_0": 1, "argument_1": 2}

    def test_a_built_in(self, door: Door) -> None:
        assert observe(max)("abc") == "c"
        assert delivered(door).only("response")["response"]["text"] == "c"

    def test_a_word_that_nobody_knows(self) -> None:
        with pytest.raises(TypeError, match="knows no sesion"):
            observe(sesion="s")  # type: ignore[call-overload]


class Failure(Exception):
    code = "E7"


class TestErrors:
    def test_an_error_passes_unchanged(self, door: Door) -> None:
        raised = Failure("no way")

        @observe
        def ask(question: str) -> str:
            raise raised

        with pytest.raises(Failure) as caught:
            ask("why")
        assert caught.value is raised
        response = delivered(door).only("response")
        assert response["error"] == {"type": "Failure", "message": "no way", "code": "E7"}
        assert response["response"] == {"finish_reason": "error"}

    def test_an_interrupt_passes(self, door: Door) -> None:
        @observe
        def ask(question: str) -> str:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ask("why")
        assert delivered(door).only("response")["error"] == {
            "type": "KeyboardInterrupt",
            "message": "",
        }

    def test_a_cancelled_task(self, door: Door) -> None:
        @observe
        async def ask(question: str) -> None:
            await asyncio.sleep(10)

        async def main() -> None:
            task = asyncio.create_task(ask("why"))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert delivered(door).only("response")["error"]["type"] == "CancelledError"

    @pytest.mark.parametrize("part", ["prompt", "response"])
    def test_an_extractor_that_fails_is_ours_to_bear(self, door: Door, part: str) -> None:
        def failing(*_: object) -> str:
            raise Failure

        @observe(**{part: failing})  # type: ignore[call-overload]
        def ask(question: str) -> str:
            return "because"

        assert ask("why") == "because"
        assert sdk.flush(5)
        assert sdk.stats().errors == 1
        assert len(door.of("prompt")) == len(door.of("response")) == 1

    def test_results_that_bite(self, door: Door) -> None:
        class Trap:
            def __getattr__(self, name: str) -> Any:
                raise Failure(name)

        trap = Trap()
        assert observe(lambda question: trap)("why") is trap
        assert sdk.flush(5)
        assert sdk.stats().errors == 1
        assert door.only("prompt")["prompt"]["text"] == "why"

    def test_values_that_no_json_holds(self, door: Door) -> None:
        loop: list[Any] = []
        loop.append(loop)
        deep: Any = "x"
        for _ in range(50):
            deep = [deep]
        odd = {"loop": loop, "deep": deep, "big": 2**70, "nan": float("nan"), "thing": object()}

        @observe(kind="tool")
        def run(odd: Any, text: str) -> Any:
            return odd

        run(odd, "nul \x00 and half \ud800")
        tool = delivered(door).only("tool")
        assert tool["result"]["big"] == str(2**70)
        assert tool["result"]["nan"] is None
        assert tool["parameters"]["text"] == "nul \ufffd and half ?"

    def test_values_that_are_neither_true_nor_false(self, door: Door) -> None:
        class Array:
            def __bool__(self) -> bool:
                raise Failure

            __eq__ = __bool__  # type: ignore[assignment]
            __hash__ = None  # type: ignore[assignment]

        with observe() as call:
            call.prompt("why")
            call.tool("look", parameters=Array(), result=Array())
        tool = delivered(door).only("tool")
        assert (tool["parameters"], tool["result"]) == ("<Array>", "<Array>")

    @pytest.mark.parametrize("kind", ["call", "tool"])
    def test_an_error_without_words(self, door: Door, kind: Any) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise Failure

        @observe(kind=kind)
        def ask(question: str) -> str:
            raise Mute

        with pytest.raises(Mute):
            ask("why")
        assert sdk.flush(5)
        assert sdk.stats().errors == 1
        if kind == "tool":
            assert door.only("tool")["error"] == "Mute"
        else:
            assert door.only("response")["error"] == {"type": "Mute"}

    def test_raw_bytes_and_endless_results(self, door: Door) -> None:
        @observe(kind="tool")
        def read(picture: bytes, seal: bytes) -> Iterator[int]:
            yield from range(5_000)

        assert len(list(read(b"x" * 20_000, b"abc"))) == 5_000
        tool = delivered(door).only("tool")
        assert tool["parameters"] == {"picture": "<20000 bytes>", "seal": "YWJj"}
        assert tool["result"] == list(range(1_000))

    def test_a_long_text_is_cut(self, door: Door) -> None:
        @observe
        def ask(question: str) -> str:
            return ""

        ask("x" * 1_000_100)
        prompt = delivered(door).only("prompt")["prompt"]
        assert len(prompt["text"]) == 1_000_000
        assert prompt["metadata"]["content"] == "truncated"
        assert prompt["metadata"]["characters"] == 1_000_100

    def test_a_large_result_is_cut(self, door: Door) -> None:
        observe(kind="tool", name="read")(lambda: ["y" * 100] * 11_000)()
        assert len(delivered(door).only("tool")["result"]) == 1_000_000


class TestGenerators:
    def test_a_stream(self, door: Door) -> None:
        @observe
        def ask(question: str) -> Iterator[str]:
            yield ""
            yield "it "
            yield "depends"

        assert list(ask("why")) == ["", "it ", "depends"]
        response = delivered(door).only("response")
        assert response["response"]["text"] == "it depends"
        assert 0 <= response["metrics"]["ttft"] <= response["metrics"]["latency"]

    def test_a_stream_closed_early(self, door: Door) -> None:
        is_closed = []

        @observe
        def ask(question: str) -> Iterator[str]:
            try:
                yield "it "
                yield "depends"
            finally:
                is_closed.append(True)

        stream = ask("why")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert is_closed == [True]
        response = delivered(door).only("response")
        assert response["response"] == {"text": "it ", "metadata": {"closed_early": True}}
        assert "error" not in response

    def test_what_never_began_is_not_recorded(self, door: Door) -> None:
        @observe
        def ask(question: str) -> Iterator[str]:
            yield "it"

        ask("why")
        assert delivered(door).stored == {}

    def test_everything_that_generators_do(self, door: Door) -> None:
        @observe
        def talk(question: str) -> Any:
            heard = yield "one"
            try:
                yield heard
            except Failure:
                yield "caught"
            return "all"

        stream = talk("why")
        assert next(stream) == "one"
        assert stream.send("two") == "two"
        assert stream.throw(Failure()) == "caught"
        with pytest.raises(StopIteration) as end:
            next(stream)
        assert end.value.value == "all"
        assert delivered(door).only("response")["response"]["text"] == "all"

    def test_an_error_in_a_stream(self, door: Door) -> None:
        @observe
        def ask(question: str) -> Iterator[str]:
            yield "it "
            raise Failure("gone")

        with pytest.raises(Failure, match="gone"):
            list(ask("why"))
        response = delivered(door).only("response")
        assert response["response"] == {"text": "it ", "finish_reason": "error"}
        assert response["error"]["message"] == "gone"

    def test_an_async_stream(self, door: Door) -> None:
        @observe
        async def ask(question: str) -> Any:
            heard = yield "it "
            try:
                yield heard
            except Failure:
                yield "anyway"

        async def main() -> None:
            stream = ask("why")
            assert await anext(stream) == "it "
            assert await stream.asend("depends ") == "depends "
            assert await stream.athrow(Failure()) == "anyway"
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

        asyncio.run(main())
        assert delivered(door).only("response")["response"]["text"] == "it depends anyway"

    def test_an_async_stream_closed_early(self, door: Door) -> None:
        is_closed = []

        @observe
        async def ask(question: str) -> Any:
            try:
                yield "it "
                yield "depends"
            finally:
                is_closed.append(True)

        async def main() -> None:
            stream = ask("why")
            await anext(stream)
            await stream.aclose()

        asyncio.run(main())
        assert is_closed == [True]
        told = delivered(door).only("response")["response"]
        assert told == {"text": "it ", "metadata": {"closed_early": True}}

    def test_an_async_stream_left_to_the_collector(self, door: Door) -> None:
        @observe
        async def ask(question: str) -> Any:
            yield "it "
            yield "depends"

        async def main() -> None:
            async for _ in ask("why"):
                break

        asyncio.run(main())
        assert delivered(door).only("response")["response"]["text"] == "it "

    def test_functions_that_return_what_is_yet_to_run(self, door: Door) -> None:
        def pieces() -> Iterator[str]:
            yield "a"

        async def later() -> str:
            return "b"

        async def stream() -> AsyncIterator[str]:
            yield "c"

        async def main() -> list[str]:
            awaited = await observe(lambda question: later())("2")
            return [awaited, *[x async for x in observe(lambda question: stream())("3")]]

        assert list(observe(lambda question: pieces())("1")) == ["a"]
        assert asyncio.run(main()) == ["b", "c"]
        texts = [r["response"]["text"] for r in delivered(door).of("response")]
        assert texts == ["a", "b", "c"]

    def test_between_steps_the_caller_is_by_itself(self) -> None:
        @observe
        def ask(question: str) -> Iterator[str]:
            yield sdk.current_call().response_id
            yield sdk.current_call().response_id

        stream = ask("why")
        inside = next(stream)
        assert sdk.current_call().response_id != inside
        assert next(stream) == inside


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
        assert sdk.flush(5)
        assert sdk.stats().errors == 1
        assert "usage" not in door.only("response")

    def test_one_observer_around_blocks_at_the_same_time(self, door: Door) -> None:
        observer, meet = observe(agent="a"), threading.Barrier(2)

        def work(text: str) -> None:
            with observer as call:
                call.prompt(text)
                meet.wait(5)
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


@observe(kind="tool")
def track(parcel: str) -> dict[str, str]:
    """Find out when a parcel comes."""
    if parcel == "lost":
        raise Failure("not found")
    return {"due": "Monday"}


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


Ask = Callable[[str], str]


class TestPrivacy:
    CANARY = "canary-4711"

    def told(self, door: Door) -> bytes:
        with pytest.raises(Failure), observe(session="s") as call:
            call.prompt([{"role": "system", "content": self.CANARY}, {"content": self.CANARY}])
            call.document("d", self.CANARY, title=self.CANARY)
            wanted = {"name": "t", "arguments": self.CANARY}
            tool_calls = [{"id": "i", "function": wanted}]
            message = {"content": self.CANARY, "tool_calls": tool_calls}
            call.response({"choices": [{"message": message}]})
            call.tool("t", parameters={"a": [self.CANARY]}, result=self.CANARY, error=self.CANARY)
            call.handoff("b", reason=self.CANARY)
            call.metadata(words=self.CANARY)
            observe(kind="tool")(lambda text: text)(self.CANARY)
            raise Failure(self.CANARY)
        delivered(door)
        return b"".join(door.bodies)

    def test_the_canary_is_there_by_default(self, door: Door) -> None:
        assert self.told(door).count(self.CANARY.encode()) >= 10

    def test_no_content(self, door: Door) -> None:
        sdk.configure(url=door.url, api_key="k", capture_content=False)
        assert self.CANARY.encode() not in self.told(door)
        prompt, response = door.only("prompt"), door.only("response")
        assert prompt["prompt"] == {
            "text": "[content withheld]",
            "metadata": {"content": "withheld", "characters": len(self.CANARY)},
        }
        assert prompt["derived"] == ["text"]
        assert response["response"]["metadata"]["characters"] == len(self.CANARY)
        assert response["error"] == {"type": "Failure", "code": "E7"}
        assert door.of("tool")[1]["metadata"] == {"content": "withheld"}

    def test_no_content_of_one_function(self, door: Door) -> None:
        observe(capture_content=False)(lambda question: question)(self.CANARY)
        delivered(door)
        assert self.CANARY.encode() not in b"".join(door.bodies)

    def test_redacted(self, door: Door) -> None:
        sdk.configure(
            url=door.url, api_key="k", redact=lambda text: text.replace(self.CANARY, "[bird]")
        )
        assert self.CANARY.encode() not in self.told(door)
        assert door.only("prompt")["prompt"]["text"] == "[bird]"
        assert door.of("tool")[0]["parameters"] == {"a": ["[bird]"]}

    @pytest.mark.parametrize("result", [None, Failure()])
    def test_a_redaction_that_fails_withholds(self, door: Door, result: Any) -> None:
        def redact(text: str) -> Any:
            if result is not None:
                raise result

        sdk.configure(url=door.url, api_key="k", redact=redact)
        observe(lambda question: question)(self.CANARY)
        assert sdk.flush(5)
        assert self.CANARY.encode() not in b"".join(door.bodies)
        assert door.only("prompt")["prompt"]["text"] == "[content withheld]"
        assert (sdk.stats().errors > 0) == (result is not None)
