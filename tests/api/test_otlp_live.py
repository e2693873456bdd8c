"""The program of the page, with the SDK of OpenTelemetry, against a service on a port."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from markdown_it import MarkdownIt
from rich.console import Console
from werkzeug.serving import make_server

from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.cli import render
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph, Row
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
        timeout=300,
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

    lines = shown(parts.reader.get_thread(tenant, "s-parcel"))
    said = ("Where is order 1182?", "doc-1", "find_order", "track", "It is in Lyon.")
    places = [next(n for n, line in enumerate(lines) if text in line) for text in said]
    assert places == sorted(places)

    lineage = api.get(f"/lineage/response/{answering['response_id']}").json
    labels = [label for node in lineage["nodes"] for label in node["labels"]]
    assert labels.count("ToolInvocation") == 2
    assert {"Prompt", "Response", "Agent", "ContextDocument"} <= set(labels)


def shown(thread: Row) -> list[str]:
    """What ``memgraph thread`` prints."""
    file = io.StringIO()
    Console(file=file, width=120, color_system=None).print(render.thread(thread))
    return file.getvalue().splitlines()


def _wait_until_assembled(parts: App, tenant: str) -> None:
    pause = threading.Event()
    give_up = time.monotonic() + 60
    while not parts.reader.list_sources(tenant):
        assert time.monotonic() < give_up, "nothing was assembled"
        pause.wait(0.05)
