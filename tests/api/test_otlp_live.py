"""The program of the page, with the SDK of OpenTelemetry, against a service on a port."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from markdown_it import MarkdownIt
from werkzeug.serving import make_server

from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph
from memgraph.settings import OtlpSettings, Settings
from tests.api.conftest import Caller

PAGE = Path(__file__).parents[2] / "docs" / "otlp.md"


@pytest.fixture
def parts(graph: Graph, model: GraphModel) -> App:
    return App(Settings(otlp=OtlpSettings(root_settle_s=0.1, poll_s=0.05)), model, graph)


@pytest.fixture
def web(parts: App) -> Flask:
    return create_app(parts.services)


@pytest.fixture
def url(parts: App, web: Flask) -> Iterator[str]:
    """A service on a port, and what assembles beside it as in a worker."""
    server = make_server("127.0.0.1", 0, web, threaded=True)
    stop = threading.Event()
    threads = [
        threading.Thread(target=server.serve_forever),
        threading.Thread(target=parts.services.traces.work, args=(stop,)),
    ]
    for thread in threads:
        thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    stop.set()
    server.shutdown()
    for thread in threads:
        thread.join()
    server.server_close()


def program() -> str:
    blocks = MarkdownIt().parse(PAGE.read_text())
    [found] = [block.content for block in blocks if block.info == "python"]
    return str(found)


def test_the_program_of_the_page_gives_a_thread_and_a_lineage(
    parts: App, web: Flask, url: str, tenant: str
) -> None:
    _, key = parts.services.access.create_key(tenant, name="exporter", roles=[Role.ADMIN])
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{key}",
    }
    ended = subprocess.run(
        [sys.executable, "-c", program()],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stderr == ""  # the exporter logs what it could not deliver
    api = Caller(web, key)
    _wait_until_assembled(parts, tenant)

    thread = api.get("/sessions/s-parcel/thread").json
    [prompt] = thread["prompts"]
    assert (prompt["text"], prompt["agent"]) == ("Where is order 1182?", "parcel_desk")
    assert [d["context_id"] for d in prompt["documents"]] == ["doc-1"]
    asking, answering = prompt["responses"]
    assert [(t["tool_name"], t["status"], t["result"]) for t in asking["tools"]] == [
        ("find_order", "success", "parcel p-7"),
        ("track", "success", "in Lyon"),
    ]
    assert answering["text"] == "It is in Lyon."
    assert sorted(answering["informed_by"]) == sorted(t["invocation_id"] for t in asking["tools"])
    assert (asking["total_tokens"], answering["total_tokens"]) == (29, 49)

    lineage = api.get(f"/lineage/response/{answering['response_id']}").json
    labels = [label for node in lineage["nodes"] for label in node["labels"]]
    assert labels.count("ToolInvocation") == 2
    assert {"Prompt", "Response", "Agent", "ContextDocument"} <= set(labels)


def _wait_until_assembled(parts: App, tenant: str) -> None:
    pause = threading.Event()
    for _ in range(200):
        if parts.reader.list_sources(tenant):
            return
        pause.wait(0.05)
    raise AssertionError("nothing was assembled")
