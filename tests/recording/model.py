"""A model on loopback that answers what it is told to, in the words of OpenAI or Anthropic."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from tests.recording import anthropic_api, openai_api
from tests.recording.told import Json, Told

MODEL = "auster-mini"
ANSWERING = "auster-mini-2026-01-01"
EMBEDDING = "auster-embedding"


@dataclass(frozen=True)
class Reply:
    """One answer: a text, requests for tools, or a failure. Tokens are made up."""

    text: str | None = None
    tool_calls: list[Json] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    error: tuple[int, str] | None = None

    @property
    def finish_reason(self) -> str:
        return "tool_calls" if self.tool_calls else "stop"

    @property
    def usage(self) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "cached_prompt_tokens": self.cached_tokens,
        }


class Model:
    """Answers in the order of ``replies``, and tells of every call that it was asked for."""

    def __init__(self, told: Told, replies: list[Reply]) -> None:
        self._told = told
        self._replies = iter(replies)
        self._numbers = count(1)

    def chat(self, api: Any, body: Json) -> tuple[int, Json | list[Json]]:
        """Take a request of one of the APIs: status and answer, a list for a stream."""
        reply = next(self._replies)
        step = {"api": api.NAME, "streaming": bool(body.get("stream"))} | api.told_request(body)
        if reply.error:
            status, message = reply.error
            error = {"status": status, "message": message}
            self._told.step("llm", **step, output=None, usage=None, error=error)
            return status, api.failure(message)
        id_ = f"answer-{next(self._numbers):04}"
        output = {
            "text": reply.text,
            "finish_reason": reply.finish_reason,
            "tool_calls": reply.tool_calls,
        }
        answered = {"model_replied": ANSWERING, "output": output, "response_id": id_}
        self._told.step("llm", **step, **answered, usage=reply.usage)
        make = api.stream if step["streaming"] else api.answer
        return 200, make(id_, ANSWERING, reply)

    def embed(self, body: Json) -> tuple[int, Json]:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        asked = {"model_requested": body["model"], "model_replied": EMBEDDING, "texts": texts}
        self._told.step("embedding", **asked, usage=usage)
        return 200, openai_api.embeddings(EMBEDDING, len(texts), usage)

    def answer(self, path: str, body: Json) -> tuple[int, Json | list[Json]]:
        if path.endswith("/embeddings"):
            return self.embed(body)
        return self.chat(anthropic_api if path.endswith("/messages") else openai_api, body)


@contextmanager
def serving(model: Model) -> Iterator[str]:
    """Serve a model on a free port; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.partition("?")[0]
            status, answer = model.answer(path, body)
            is_stream = isinstance(answer, list)
            data = _events(answer) if isinstance(answer, list) else json.dumps(answer).encode()
            self.send_response(status)
            media = "text/event-stream" if is_stream else "application/json"
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _events(chunks: list[Json]) -> bytes:
    """Server-sent events; Anthropic's have a name, OpenAI's end is said in words."""
    lines = []
    for chunk in chunks:
        name = f"event: {chunk['type']}\n" if "type" in chunk else ""
        lines.append(f"{name}data: {json.dumps(chunk)}\n\n")
    end = "" if chunks and "type" in chunks[0] else "data: [DONE]\n\n"
    return ("".join(lines) + end).encode()
