"""What observers record of functions, and that the host notices nothing of it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import observe

from tests.sdk.door import Door
from tests.sdk.observing import Failure, delivered

pytestmark = pytest.mark.usefixtures("observed")


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
        assert sdk.flush(60)
        assert sdk.stats().errors == 1
        assert len(door.of("prompt")) == len(door.of("response")) == 1

    def test_results_that_bite(self, door: Door) -> None:
        class Trap:
            def __getattr__(self, name: str) -> Any:
                raise Failure(name)

        trap = Trap()
        assert observe(lambda question: trap)("why") is trap
        assert sdk.flush(60)
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
        assert sdk.flush(60)
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
