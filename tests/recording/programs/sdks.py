"""The two bare SDKs: what the desk asks is put into their words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.recording.model import EMBEDDING, MODEL
from tests.recording.programs.desk import TOOLS
from tests.recording.told import Json


def _schema(argument: str) -> Json:
    return {
        "type": "object",
        "properties": {argument: {"type": "string"}},
        "required": [argument],
    }


class OpenAi:
    """The openai SDK with chat completions."""

    def __init__(self, url: str) -> None:
        import openai

        self.failures: type[Exception] = openai.OpenAIError
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        self._tools = [
            {
                "type": "function",
                "function": {"name": name, "description": text, "parameters": _schema(argument)},
            }
            for name, (text, argument) in TOOLS.items()
        ]

    def ask(self, messages: list[Json], *, streamed: bool = False) -> Json:
        asked: Json = {"model": MODEL, "messages": messages, "temperature": 0.2}
        if streamed:
            chunks = self._client.chat.completions.create(
                **asked, stream=True, stream_options={"include_usage": True}
            )
            deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
            return {"role": "assistant", "content": "".join(d.content or "" for d in deltas)}
        if len(messages) > 1:
            asked["tools"] = self._tools
        message = self._client.chat.completions.create(**asked).choices[0].message
        kept: Json = message.model_dump(include={"role", "content", "tool_calls"})
        return {name: value for name, value in kept.items() if value is not None}

    def embed(self, texts: list[str]) -> None:
        self._client.embeddings.create(model=EMBEDDING, input=texts, encoding_format="float")


class Anthropic:
    """The anthropic SDK; it has no embeddings."""

    def __init__(self, url: str) -> None:
        import anthropic

        self.failures: type[Exception] = anthropic.AnthropicError
        self._client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
        self._tools = [
            {"name": name, "description": text, "input_schema": _schema(argument)}
            for name, (text, argument) in TOOLS.items()
        ]

    def ask(self, messages: list[Json], *, streamed: bool = False) -> Json:
        asked: Json = {"model": MODEL, "max_tokens": 200, "messages": list(_blocks(messages))}
        if messages[0]["role"] == "system":
            asked |= {"system": messages[0]["content"], "tools": self._tools}
        if streamed:
            with self._client.messages.stream(**asked) as stream:
                return {"role": "assistant", "content": "".join(stream.text_stream)}
        answer = self._client.messages.create(**asked)
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [
            {
                "id": block.id,
                "type": "function",
                "function": {"name": block.name, "arguments": json.dumps(block.input)},
            }
            for block in answer.content
            if block.type == "tool_use"
        ]
        said: Json = {"role": "assistant", "content": text}
        return said | ({"tool_calls": calls} if calls else {})

    def embed(self, texts: list[str]) -> None:
        pass


def _blocks(messages: list[Json]) -> Iterator[Json]:
    """Results of tools are blocks of one message of the user."""
    results: list[Json] = []
    for message in messages:
        if message["role"] == "tool":
            told = {"tool_use_id": message["tool_call_id"], "content": message["content"]}
            results.append({"type": "tool_result"} | told)
            continue
        if results:
            yield {"role": "user", "content": results}
            results = []
        if message["role"] != "system":
            yield {"role": message["role"], "content": _content(message)}
    if results:
        yield {"role": "user", "content": results}


def _content(message: Json) -> Any:
    if "tool_calls" not in message:
        return message["content"]
    return [
        {
            "type": "tool_use",
            "id": call["id"],
            "name": call["function"]["name"],
            "input": json.loads(call["function"]["arguments"]),
        }
        for call in message["tool_calls"]
    ]
