"""OpenInference in forms without a recording: made by hand, LlamaIndex, Anthropic."""

from __future__ import annotations

import json
from typing import Any

from tests.support.otlp_spans import OTHER_TRACE, events, problems, span

KIND = "openinference.span.kind"


def llm(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {
        KIND: "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": question,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": answer,
        **more,
    }


def test_a_span_made_by_hand_has_only_its_input_and_output() -> None:
    found = events(
        span(1, {KIND: "CHAIN", "session.id": "s1", "user.id": "u1"}, lasts=100),
        span(
            2,
            {
                KIND: "llm",
                "input.value": "Hi",
                "output.value": "Hello!",
                "llm.model_name": "m1",
                "llm.token_count.prompt": 3,
                "llm.token_count.total": 7,
            },
            parent=1,
        ),
    )
    (prompt,), (response,) = found["PromptEvent"], found["ResponseEvent"]
    assert (prompt.prompt.text, prompt.session.id, prompt.session.user_id) == ("Hi", "s1", "u1")
    assert (response.response.text, response.model.id) == ("Hello!", "m1")
    assert response.usage.completion_tokens == 4
    assert "AgentEvent" not in found


def test_raw_requests_of_apis_are_read_where_there_are_no_messages() -> None:
    chat = {"model": "m", "messages": [{"role": "user", "content": "Q1"}], "system": "Be kind."}
    answer = {"id": "a1", "choices": [{"message": {"role": "assistant", "content": "A1"}}]}
    found = events(
        span(1, {KIND: "LLM", "input.value": json.dumps(chat), "output.value": json.dumps(answer)})
    )
    (prompt,) = found["PromptEvent"]
    assert prompt.prompt.text == "Q1"
    assert prompt.context.conversation_history[0].content == "Be kind."
    assert found["ResponseEvent"][0].response.text == "A1"
    completion = {
        KIND: "LLM",
        "llm.prompts.0.prompt.text": "Once upon",
        "output.value": json.dumps({"content": [{"type": "text", "text": "a time"}]}),
    }
    found = events(span(1, completion))
    assert found["PromptEvent"][0].prompt.text == "Once upon"
    assert found["ResponseEvent"][0].response.text == "a time"


def test_of_two_llm_spans_of_one_call_the_inner_is_kept_if_only_it_has_tokens() -> None:
    counts = {"llm.token_count.prompt": 5, "llm.token_count.completion": 2}
    found = events(
        span(1, {KIND: "CHAIN"}, lasts=100),
        span(2, llm("Q", "A"), name="OpenAI.predict", parent=1, lasts=50),
        span(3, llm("Q", "A", **counts), name="OpenAI.chat", parent=2),
    )
    assert len(found["PromptEvent"]) == len(found["ResponseEvent"]) == 1
    assert "InvocationEvent" not in found
    (response,) = found["ResponseEvent"]
    assert response.usage.total_tokens == 7
    assert response.trace_context.span_id.endswith("3")


def sdk_span(number: int, parent: int | None, answer_id: str = "msg_1", **more: Any) -> Any:
    """The span that a provider's SDK makes itself: tokens, no text."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude",
        "gen_ai.response.model": "claude-1",
        "gen_ai.response.id": answer_id,
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 4,
    }
    return span(number, attributes, parent=parent, scope="com.anthropic.sdk.python", **more)


def anthropic(**more: Any) -> dict[str, Any]:
    return llm(
        "Q",
        "A",
        **{
            "llm.request.model_name": "claude",
            "llm.response.model_name": "claude-1",
            "llm.token_count.prompt": 9,
            "llm.token_count.completion": 4,
            "output.value": '{"id": "msg_1", "stop_reason": "end_turn"}',
            **more,
        },
    )


def test_the_span_of_an_sdk_below_a_richer_one_counts_no_tokens_twice() -> None:
    found = events(span(1, anthropic(), lasts=20), sdk_span(2, 1))
    (response,), (invocation,) = found["ResponseEvent"], found["InvocationEvent"]
    assert response.usage.total_tokens == invocation.payload.token_count == 13
    assert (response.model.id, response.model.version) == ("claude", "claude-1")
    assert response.response.finish_reason == "stop"
    beside = events(span(1, anthropic(), lasts=20), sdk_span(2, None))
    assert beside.keys() == found.keys()
    assert len(beside["InvocationEvent"]) == len(beside["ResponseEvent"]) == 1
    first = events(sdk_span(1, None, lasts=20), span(2, anthropic()))
    assert len(first["InvocationEvent"]) == len(first["ResponseEvent"]) == 1


def test_the_stray_span_of_an_sdk_in_a_trace_of_its_own_is_the_same_invocation() -> None:
    (told,) = events(span(1, anthropic()))["InvocationEvent"]
    stray = events(sdk_span(7, None, trace=OTHER_TRACE))
    assert stray.keys() == {"InvocationEvent"}
    assert stray["InvocationEvent"][0].payload.invocation_id == told.payload.invocation_id


def test_a_span_around_several_calls_is_none_of_them() -> None:
    found = events(
        span(1, llm("Q", "A"), lasts=100),
        span(2, llm("Q", "first"), parent=1),
        span(3, llm("Q", "A"), parent=1),
    )
    assert [e.response.text for e in found["ResponseEvent"]] == ["first", "A"]
    attempts = events(span(1, anthropic(), lasts=100), sdk_span(2, 1), sdk_span(3, 1))
    assert len(attempts["ResponseEvent"]) == len(attempts["InvocationEvent"]) == 1
    bare = {KIND: "LLM", "llm.model_name": "m"}
    attempts = events(span(1, bare, lasts=100), sdk_span(2, 1), sdk_span(3, 1, "msg_2"))
    assert len(attempts["InvocationEvent"]) == 2


def test_a_call_inside_a_tool_is_another_call() -> None:
    found = events(
        span(1, llm("Q", "A"), lasts=100),
        span(2, {KIND: "TOOL", "tool.name": "t"}, parent=1, lasts=50),
        span(3, llm("inner", "B"), parent=2),
    )
    assert {e.prompt.text for e in found["PromptEvent"]} == {"Q", "inner"}


def retriever(number: int, parent: int, *contents: str, **more: Any) -> Any:
    documents = {
        f"retrieval.documents.{n}.document.{field}": value
        for n, content in enumerate(contents)
        for field, value in (("id", f"node-{n}"), ("content", content), ("score", 0.5 - n / 10))
    }
    return span(number, {KIND: "RETRIEVER", "input.value": "q", **documents}, parent=parent, **more)


def test_documents_of_two_nested_retrievers_are_told_once() -> None:
    found = events(
        span(1, {KIND: "CHAIN"}, lasts=200),
        retriever(2, 1, "one", "two", name="VectorIndexRetriever.retrieve", lasts=15),
        retriever(3, 2, name="VectorIndexRetriever._retrieve"),
        span(4, llm("Q", "A"), parent=1),
        retriever(5, 4, "never"),
    )
    (prompt,) = found["PromptEvent"]
    documents = [(d.id, d.content, d.relevance_score) for d in prompt.context.documents]
    assert documents == [("node-0", "one", 0.5), ("node-1", "two", 0.4), ("node-0", "never", 0.5)]


def test_documents_go_to_the_prompt_whose_answer_they_were_for() -> None:
    spans = [span(1, {KIND: "CHAIN", "session.id": "s"}, lasts=500)]
    for turn, text in enumerate(("first", "second")):
        root = 10 * (turn + 1)
        spans += [
            span(root, {KIND: "CHAIN"}, parent=1, lasts=90),
            span(root + 2, llm(text, "A"), parent=root),
            retriever(root + 1, root, f"for {text}"),
        ]
    prompts = events(*spans)["PromptEvent"]
    told = {p.prompt.text: [d.content for d in p.context.documents] for p in prompts}
    assert told == {"first": ["for first"], "second": ["for second"]}


def test_a_retrieval_without_any_prompt_is_reported() -> None:
    assert problems(span(1, {KIND: "CHAIN"}), retriever(2, 1, "lost")) == [
        "retrieval: belongs to no prompt of its trace"
    ]


def test_documents_without_ids_are_known_by_their_content() -> None:
    raw = {"documents": [{"page_content": "text", "metadata": {"score": 0.3, "source": "a.md"}}]}
    found = events(
        span(1, {KIND: "RETRIEVER", "output.value": json.dumps(raw)}), span(2, llm("Q", "A"))
    )
    (document,) = found["PromptEvent"][0].context.documents
    assert (document.content, document.relevance_score, document.uri) == ("text", 0.3, "a.md")
    assert document.id.startswith("document-")


def asking(*calls: tuple[str | None, str, str]) -> dict[str, Any]:
    """An answer that asks for tools: call id, name, arguments."""
    attributes = llm("Q", "")
    prefix = "llm.output_messages.0.message.tool_calls"
    for n, (call_id, name, arguments) in enumerate(calls):
        if call_id:
            attributes[f"{prefix}.{n}.tool_call.id"] = call_id
        attributes[f"{prefix}.{n}.tool_call.function.name"] = name
        attributes[f"{prefix}.{n}.tool_call.function.arguments"] = arguments
    return attributes


def test_tools_are_matched_by_arguments_when_they_have_no_id() -> None:
    calls = (("c1", "t", '{"x": 1}'), ("c2", "t", '{"x": 2}'), ("c3", "u", '{"a": 1, "b": 2}'))
    tool = {KIND: "TOOL", "tool.parameters": '{"type": "object"}'}
    found = events(
        span(1, asking(*calls)),
        span(2, {**tool, "tool.name": "t", "input.value": "2", "output.value": "two"}),
        span(3, {**tool, "tool.name": "t", "input.value": '{"x": 1}', "output.value": "one"}),
        span(4, {**tool, "input.value": "[1, 2]", "output.value": "three"}, name="u"),
        span(5, {**tool, "tool.name": "own", "output.value": "alone"}),
    )
    results = {e.metadata.get("call_id"): (e.result, e.response_id) for e in found["ToolEvent"]}
    response_id = found["ResponseEvent"][0].event_id
    assert results == {
        "c1": ("one", response_id),
        "c2": ("two", response_id),
        "c3": ("three", response_id),
        None: ("alone", None),
    }


def test_a_second_run_of_one_call_is_a_retry() -> None:
    run = {KIND: "TOOL", "tool.name": "t", "tool_call.id": "c1"}
    found = events(
        span(1, asking(("c1", "t", "{}"))),
        span(2, run, error="broken"),
        span(3, {**run, "output.value": "done"}),
    )
    first, second = found["ToolEvent"]
    assert first.invocation_id == second.invocation_id
    assert (first.status, first.error, first.retry_count) == ("failed", "broken", None)
    assert (second.status, second.result, second.retry_count) == ("success", "done", 1)
    assert "ErrorEvent" not in found


def test_the_message_of_a_tool_is_taken_out_of_its_framework() -> None:
    wrapped = (
        {"lc": 1, "kwargs": {"content": "42", "tool_call_id": "c1"}},
        {"content": "42", "tool_call_id": "c1"},
        "content='42' name='t' tool_call_id='c1'",
    )
    for value in wrapped:
        output = value if isinstance(value, str) else json.dumps(value)
        run = {KIND: "TOOL", "tool.name": "t", "output.value": output}
        found = events(span(1, asking(("c0", "t", "{}"), ("c1", "t", "{}"))), span(2, run))
        (event,) = found["ToolEvent"]
        assert (event.result, event.metadata["call_id"]) == (42, "c1")


def agent(number: int, called: str | None, parent: int | None = None, **more: Any) -> Any:
    named = {"agent.name": called} if called else {}
    return span(number, {KIND: "AGENT", **named}, parent=parent, lasts=200, **more)


def test_a_tool_that_transfers_to_an_agent_of_the_trace_is_a_handoff() -> None:
    found = events(
        agent(1, "desk"),
        span(2, asking(("c1", "transfer_to_helper", "{}")), parent=1),
        agent(30, "helper"),
        span(31, llm("Q", "done"), parent=30),
    )
    (handoff,) = found["HandoffEvent"]
    assert (handoff.from_agent_id, handoff.to_agent_id) == ("desk", "helper")
    elsewhere = events(agent(1, "desk"), span(2, asking(("c1", "transfer_to_x", "{}")), parent=1))
    assert "HandoffEvent" not in elsewhere


def test_a_handoff_that_no_answer_asked_for_is_reported() -> None:
    handoff = span(5, {KIND: "TOOL", "output.value": "b"}, name="handoff to b")
    assert problems(handoff) == ["handoff: must name its agent and follow an answer of a model"]
    found = events(span(1, llm("Q", "A")), handoff)
    assert found["HandoffEvent"][0].response_id == found["ResponseEvent"][0].event_id


def test_an_agent_without_a_name_is_called_by_its_span_unless_it_holds_agents() -> None:
    alone = events(agent(1, None, name="crew"), span(2, llm("Q", "A"), parent=1))
    assert alone["PromptEvent"][0].agent_id == "crew"
    held = events(
        agent(1, None, name="crew"), agent(2, "cook", 1), span(3, llm("Q", "A"), parent=2)
    )
    assert [e.agent.id for e in held["AgentEvent"]] == ["cook"]


def test_an_answer_without_a_model_is_no_invocation() -> None:
    found = events(span(1, llm("Q", "A")))
    assert "InvocationEvent" not in found
    assert found["ResponseEvent"][0].model is None


def test_the_items_of_one_answer_are_one_response_and_choices_are_several() -> None:
    two = llm(
        "Q",
        "one",
        **{
            "llm.output_messages.1.message.role": "assistant",
            "llm.output_messages.1.message.content": "two",
            "llm.token_count.prompt": 1,
            "llm.token_count.completion": 2,
        },
    )
    assert [e.response.text for e in events(span(1, two))["ResponseEvent"]] == ["one\ntwo"]
    choices = {**two, "llm.invocation_parameters": '{"n": 2, "temperature": 9, "top_k": 4.0}'}
    found = events(span(1, choices))
    assert {e.response.text for e in found["ResponseEvent"]} == {"one", "two"}
    assert sum(e.usage is not None for e in found["ResponseEvent"]) == 1
    assert found["PromptEvent"][0].prompt.metadata == {"parameters": {"temperature": 9}}


def test_an_image_without_a_text_is_reported_and_its_answer_kept() -> None:
    contents = "llm.input_messages.0.message.contents.0.message_content"
    attributes = {
        KIND: "LLM",
        "llm.input_messages.0.message.role": "user",
        f"{contents}.type": "image",
        f"{contents}.image.image.url": "https://example.org/cat.png",
        "output.value": "A cat.",
    }
    assert problems(span(1, attributes)) == ["prompt.text: is required beside images"]
    text = {
        **attributes,
        "llm.input_messages.0.message.contents.1.message_content.type": "text",
        "llm.input_messages.0.message.contents.1.message_content.text": "What?",
    }
    (prompt,) = events(span(1, text))["PromptEvent"]
    assert prompt.prompt.images[0].url == "https://example.org/cat.png"


def test_an_error_of_a_step_is_told_once_where_it_arose() -> None:
    found = events(
        span(1, {KIND: "CHAIN"}, error="outer: boom"),
        span(2, {KIND: "CHAIN"}, parent=1, error="boom\nTraceback (most recent call last)\n ..."),
    )
    (error,) = found["ErrorEvent"]
    assert (error.payload.message, error.span_id) == ("boom", f"{2:016x}")
    failed = {KIND: "EMBEDDING", "embedding.model_name": "e", "error.type": "Timeout"}
    found = events(span(1, failed, error=""))
    (error,), (invocation,) = found["ErrorEvent"], found["InvocationEvent"]
    assert error.payload.error_type == "Timeout"
    assert error.payload.invocation_id == invocation.payload.invocation_id
    assert invocation.event_type == "llm.invocation.error"


def test_of_two_nested_retrievers_with_documents_the_outer_tells() -> None:
    found = events(
        retriever(1, 0, "outer", lasts=50),
        retriever(2, 1, "inner"),
        span(3, llm("Q", "A")),
    )
    assert [d.content for d in found["PromptEvent"][0].context.documents] == ["outer"]


def test_documents_come_in_many_shapes() -> None:
    def contents(output: Any) -> list[str | None]:
        told = {KIND: "RETRIEVER", "output.value": json.dumps(output)}
        (prompt,) = events(span(1, told), span(2, llm("Q", "A")))["PromptEvent"]
        return [d.content for d in prompt.context.documents]

    assert contents(["plain", "", 7]) == ["plain"]
    assert contents({"output": {"documents": [{"text": "deep"}]}}) == ["deep"]
    assert contents([{"node": {"id_": "n", "text": "in a node"}, "score": 1}]) == ["in a node"]
    flat = {
        KIND: "RETRIEVER",
        "retrieval.documents.0.document.content": "flat",
        "output.value": json.dumps([{"page_content": "other"}]),
    }
    (prompt,) = events(span(1, flat), span(2, llm("Q", "A")))["PromptEvent"]
    assert [d.content for d in prompt.context.documents] == ["flat"]


def test_messages_come_in_many_shapes() -> None:
    image = {"type": "blob", "mime_type": "image/png", "content": "AA=="}
    asked = [
        {"type": "human", "data": {"content": "Q1"}},
        {"lc": 1, "id": ["langchain", "AIMessage"], "kwargs": {"content": "A1"}},
        {"role": "user", "content": ["Q2", image]},
        {"role": "assistant", "function_call": {"name": "old", "arguments": "{}"}},
        {"role": "function", "name": "old", "content": "1"},
        {"role": "assistant", "tool_calls": ["odd", {"function": {}}], "content": "A2"},
        "Q3",
    ]  # fmt: skip
    raw = {KIND: "LLM", "input.value": json.dumps({"messages": asked}), "output.value": "A3"}
    found = events(span(1, raw))
    assert [e.prompt.text for e in found["PromptEvent"]] == ["Q1", "Q2", "Q3"]
    assert found["PromptEvent"][1].prompt.images[0].mime_type == "image/png"
    responses = [e.response.text for e in found["ResponseEvent"]]
    assert responses == ["A1", None, "A2", "A3"]
    (tool,) = found["ToolEvent"]
    assert (tool.tool_name, tool.result) == ("old", 1)
    flat = llm("Q", "")
    flat["llm.output_messages.0.message.function_call_name"] = "old"
    flat["llm.output_messages.0.message.function_call_arguments_json"] = '{"x": 1}'
    (response,) = events(span(1, flat))["ResponseEvent"]
    assert response.response.tool_calls[0].function.arguments == '{"x":1}'
