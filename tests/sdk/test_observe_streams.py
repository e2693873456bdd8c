"""What observers record of generators, which go on as before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import observe

from tests.sdk.door import Door
from tests.sdk.observing import Failure, delivered

pytestmark = pytest.mark.usefixtures("observed")


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
