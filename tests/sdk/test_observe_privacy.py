"""What leaves the host when contents shall not, or not as they are."""

from __future__ import annotations

from typing import Any

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import observe

from tests.sdk.door import Door
from tests.sdk.observing import Failure, delivered

pytestmark = pytest.mark.usefixtures("observed")


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
        assert sdk.flush(60)
        assert self.CANARY.encode() not in b"".join(door.bodies)
        assert door.only("prompt")["prompt"]["text"] == "[content withheld]"
        assert (sdk.stats().errors > 0) == (result is not None)
