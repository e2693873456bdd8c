"""What is understood of the objects that clients of models give and return."""

from __future__ import annotations

from types import SimpleNamespace as Object
from typing import Any

import pytest
from memgraph_sdk.answered import Answered, ToolCall, answered, usage_of
from memgraph_sdk.asked import Asked, asked, asked_by, text_of
from memgraph_sdk.streamed import Streamed
from pydantic import BaseModel


def objects(value: Any) -> Any:
    """The same as objects with attributes."""
    if isinstance(value, dict):
        return Object(**{name: objects(item) for name, item in value.items()})
    return [objects(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(params=["dictionaries", "objects"])
def shaped(request: pytest.FixtureRequest) -> Any:
    return objects if request.param == "objects" else lambda value: value


CALL = ToolCall("c1", "track", '{"id": 7}')
CHAT: dict[str, Any] = {
    "object": "chat.completion",
    "model": "m-2026",
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "track", "arguments": '{"id": 7}'},
                    }
                ],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
TURN = CHAT["choices"][0]["message"]
RESPONSE = {
    "object": "response",
    "model": "m-2026",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "c1", "name": "track", "arguments": '{"id": 7}'},
    ],
    "usage": {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_tokens_details": {"cached_tokens": 4},
    },
}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "model": "m-2026",
    "stop_reason": "tool_use",
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c1", "name": "track", "input": "{}"},
    ],
    "usage": {
        "input_tokens": 5,
        "output_tokens": 5,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 1,
    },
}


class TestAnswers:
    WHOLE = Answered("Let me see.", "m-2026", "tool_calls", 10, 5, 4, [CALL])

    def test_a_chat_completion(self, shaped: Any) -> None:
        assert answered(shaped(CHAT)) == self.WHOLE

    def test_a_response(self, shaped: Any) -> None:
        assert answered(shaped(RESPONSE)) == self.WHOLE

    def test_a_message(self, shaped: Any) -> None:
        found = answered(shaped(MESSAGE))
        assert found.tool_calls == [ToolCall("c1", "track", "{}")]
        found.tool_calls = [CALL]
        assert found == self.WHOLE

    def test_a_turn_by_itself(self, shaped: Any) -> None:
        found = answered(shaped(CHAT["choices"])[0].message if shaped is objects else TURN)
        assert found == Answered("Let me see.", tool_calls=[CALL])
        call = {"id": "c", "name": "n", "args": {"id": 7}}
        turn = answered(shaped({"type": "ai", "content": "", "tool_calls": [call]}))
        assert turn.text is None
        assert turn.tool_calls[0].name == "n"

    def test_arguments_that_are_no_text(self) -> None:
        blocks = [{"type": "tool_use", "id": "c", "name": "n", "input": {"id": 7}}]
        (call,) = answered({"type": "message", "content": blocks}).tool_calls
        assert call.arguments == '{"id":7}'

    def test_a_refusal(self) -> None:
        choice = {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}
        assert answered({"choices": [choice]}) == Answered("No.", finish_reason="stop")

    def test_a_completion_of_the_older_kind(self) -> None:
        assert answered({"choices": [{"text": "Hi", "finish_reason": "length"}]}) == Answered(
            "Hi", finish_reason="length"
        )

    def test_an_incomplete_response(self) -> None:
        details = {"reason": "max_output_tokens"}
        cut = {"object": "response", "status": "incomplete", "incomplete_details": details}
        assert answered({**cut, "output": []}).finish_reason == "length"

    def test_tokens_of_embeddings(self) -> None:
        found = usage_of({"prompt_tokens": 3, "total_tokens": 3})
        assert (found.prompt_tokens, found.completion_tokens) == (3, 0)

    @pytest.mark.parametrize("bad", [True, -1, "7", 1.5, None])
    def test_what_counts_no_tokens(self, bad: Any) -> None:
        assert usage_of({"prompt_tokens": bad, "completion_tokens": bad}) == Answered()

    def test_values(self) -> None:
        class Found(BaseModel):
            due: str

        assert answered(Found(due="Monday")).text == '{"due":"Monday"}'
        assert answered([1, {"a": None}]).text == '[1,{"a":null}]'
        assert answered(Object(content="of a message")).text == "of a message"
        assert answered(Object(text="of a candidate")).text == "of a candidate"
        assert answered(object()) == Answered()
        assert answered(None) == Answered()

    def test_a_reason_that_is_not_known(self) -> None:
        assert answered({"choices": [{"finish_reason": "mood"}]}).finish_reason is None


class TestPrompts:
    def test_the_last_words_of_the_user(self, shaped: Any) -> None:
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": [{"type": "text", "text": "Why?"}, {"type": "image_url"}]},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "content": "42", "tool_call_id": "c1"},
        ]
        found = asked([shaped(m) for m in messages])
        assert found.text == "Why?"
        assert [m["role"] for m in found.history] == ["system", "user", "assistant", "tool"]
        assert found.informed_by == ["c1"]

    @pytest.mark.parametrize(
        "result",
        [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1"}]},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
        ],
    )
    def test_results_of_tools(self, result: Any) -> None:
        found = asked([{"role": "user", "content": "Why?"}, result])
        assert (found.text, found.informed_by) == ("Why?", ["c1"])

    def test_without_a_user(self) -> None:
        assert asked([{"role": "system", "content": "Begin."}]).text == "Begin."
        assert asked([{"type": "human", "content": "Hi"}]).text == "Hi"
        assert asked({"role": "user", "content": "Hi"}).text == "Hi"
        assert asked({"messages": [{"role": "user", "content": "Hi"}]}).text == "Hi"

    @pytest.mark.parametrize("nothing", [None, [], 7, "", [{"role": "user"}], object()])
    def test_nothing(self, nothing: Any) -> None:
        assert asked(nothing) == Asked()

    def test_messages_count_before_texts(self) -> None:
        found = asked_by({"style": "brief", "messages": [{"role": "user", "content": "Why?"}]})
        assert found.text == "Why?"
        assert asked_by({"model": "m", "style": "brief", "prompt": "Why?"}).text == "Why?"
        assert asked_by({"model": "m", "n": 7, "question": "Why?"}).text == "Why?"
        assert asked_by({"messages": [], "question": "Why?"}).text == "Why?"

    def test_the_system_beside_the_messages(self) -> None:
        found = asked_by({"system": [{"type": "text", "text": "Be brief."}], "input": "Why?"})
        assert found == Asked("Why?", [{"role": "system", "content": "Be brief."}])

    def test_parts_of_a_message(self) -> None:
        assert text_of(["a", {"text": "b"}, {"image": 1}]) == "a\nb"


def put_together(pieces: list[Any]) -> tuple[Answered, list[bool]]:
    streamed = Streamed()
    told = [streamed.add(piece) for piece in pieces]
    return streamed.answer(), told


def chat_piece(delta: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"delta": delta, **more}]
    return {"object": "chat.completion.chunk", "model": "m-2026", "choices": choices}


class TestStreams:
    WHOLE = TestAnswers.WHOLE

    def test_pieces_of_a_chat_completion(self, shaped: Any) -> None:
        def call(**function: str) -> dict[str, Any]:
            return {"tool_calls": [{"index": 0, "function": function}]}

        first = {"index": 0, "id": "c1", "function": {"name": "track", "arguments": ""}}
        pieces = [
            chat_piece({"role": "assistant", "content": ""}),
            chat_piece({"content": "Let me "}),
            chat_piece({"content": "see."}),
            chat_piece({"tool_calls": [first]}),
            chat_piece(call(arguments='{"id"')),
            chat_piece(call(arguments=": 7}")),
            chat_piece({}, finish_reason="tool_calls"),
            {**chat_piece(), "usage": CHAT["usage"]},
        ]
        answer, told = put_together([shaped(p) for p in pieces])
        assert answer == self.WHOLE
        assert told == [False, True, True, True, True, True, False, False]

    def test_events_of_messages(self, shaped: Any) -> None:
        def delta(index: int, **words: str) -> dict[str, Any]:
            return {"type": "content_block_delta", "index": index, "delta": words}

        def block(index: int, **words: str) -> dict[str, Any]:
            return {"type": "content_block_start", "index": index, "content_block": words}

        start = {**MESSAGE, "content": [], "stop_reason": None}
        usage = {"output_tokens": 5}
        pieces = [
            {"type": "message_start", "message": start},
            {"type": "ping"},
            block(0, type="text", text=""),
            delta(0, type="text_delta", text="Let me "),
            delta(0, type="text_delta", text="see."),
            block(1, type="tool_use", id="c1", name="track"),
            delta(1, type="input_json_delta", partial_json='{"id": '),
            delta(1, type="input_json_delta", partial_json="7}"),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage},
            {"type": "message_stop"},
        ]
        answer, told = put_together([shaped(p) for p in pieces])
        assert answer == self.WHOLE
        assert told == [False, False, False, True, True, True, True, True, False, False]

    def test_events_of_responses(self, shaped: Any) -> None:
        pieces = [
            {"type": "response.created", "response": {}},
            {"type": "response.output_text.delta", "delta": "Let me "},
            {"type": "response.output_text.delta", "delta": "see."},
            {"type": "response.completed", "response": RESPONSE},
        ]
        answer, told = put_together([shaped(p) for p in pieces])
        assert answer == self.WHOLE
        assert told == [False, True, True, False]

    def test_pieces_of_a_completion_of_the_older_kind(self) -> None:
        answer, _ = put_together([{"choices": [{"text": "a"}]}, {"choices": [{"text": "b"}]}])
        assert answer == Answered("ab")

    def test_endless_texts_are_not_kept(self) -> None:
        streamed = Streamed()
        for _ in range(30):
            streamed.add("x" * 100_000)
        assert len(streamed.answer().text or "") < 1_200_000
