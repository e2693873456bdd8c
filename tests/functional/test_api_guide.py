"""The pages tell the truth: their requests are sent in order, their answers are what comes."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import orjson
import pytest
from werkzeug.serving import make_server

from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph
from memgraph.settings import Settings
from tests.support import guide, tokens

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "api-guide.md"


@dataclass(frozen=True)
class Service:
    """A service with the issuer of the guide, and who calls it."""

    url: str
    key: str
    token: str
    graph: Graph

    @property
    def variables(self) -> dict[str, str]:
        """What the guide's reader has set."""
        return {
            "API": f"{self.url}/api/v1",
            "AUTH": f"Authorization: Bearer {self.key}",
            "TOKEN": self.token,
        }

    def send(self, request: guide.Request) -> httpx2.Response:
        if request.url.endswith("/search"):
            # A reader is slower than the index.
            self.graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
        return httpx2.request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            timeout=60,
        )


def settings_of(page: str, jwks_url: str) -> Settings:
    """The settings that the page shows, with keys that can be fetched."""
    [shown] = [f for f in guide.fences(page, "toml") if "tokens.issuers" in f]
    settings = Settings(**tomllib.loads(shown))
    issuers = [{**i.model_dump(), "jwks_url": jwks_url} for i in settings.tokens.issuers]
    return Settings(tokens={"issuers": issuers})


@pytest.fixture
def service(graph: Graph, model: GraphModel, tenant: str) -> Iterator[Service]:
    with tokens.publishing() as jwks:
        app = App(settings_of(GUIDE.read_text(), jwks.url), model, graph)
        _, key = app.services.access.create_key(tenant, name="guide", roles=[Role.ADMIN])
        token = tokens.token(tenant_id=tenant, roles=["graph-reader"])
        server = make_server("127.0.0.1", 0, create_app(app.services), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Service(f"http://127.0.0.1:{server.server_port}", key, token, graph)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        app.shared.close()
        assert app.tokens is not None
        app.tokens.close()


def differences(shown: guide.Answer, came: httpx2.Response, renamed: dict[str, str]) -> list[str]:
    """What an answer shows otherwise than it came. ``renamed`` learns what varies."""
    compared = guide.Comparison(renamed)
    compared.compare(shown.status, came.status_code, "status")
    sent = {name: came.headers.get(name) for name in shown.headers}
    compared.compare(shown.headers, sent, "headers")
    media = came.headers.get("Content-Type", "")
    if media.endswith("json") and "ndjson" not in media:
        compared.compare(guide.read_json(shown.body), came.json())
    elif "ndjson" in media:
        lines = [orjson.loads(line) for line in came.text.splitlines()]
        compared.compare([guide.read_json(line) for line in shown.body.splitlines()], lines)
    else:
        compared.compare_lines(shown.body, came.text)
    return compared.differences


@pytest.mark.parametrize(("page", "least"), [("README.md", 3), ("docs/api-guide.md", 40)])
def test_every_request_is_answered_as_shown(service: Service, page: str, least: int) -> None:
    found = list(guide.exchanges((ROOT / page).read_text()))
    renamed: dict[str, str] = {}
    wrong: dict[int, list[str]] = {}
    for exchange in found:
        command = guide.rename(exchange.command, renamed)
        came = service.send(guide.read_request(command, service.variables))
        differs = differences(guide.read_answer(exchange.answer), came, renamed)
        if differs:
            wrong[exchange.line] = differs
    assert wrong == {}
    assert len(found) >= least


def test_a_wrong_page_is_noticed(service: Service) -> None:
    first = next(guide.exchanges(GUIDE.read_text()))
    came = service.send(guide.read_request(first.command, service.variables))
    answer = guide.read_answer(first.answer)
    assert differences(answer, came, {}) == []
    for old, new in (('"chat"', '"other"'), ('"title"', '"name"'), (", …", ""), ("true", "1")):
        assert old in answer.body
        changed = replace(answer, body=answer.body.replace(old, new))
        assert differences(changed, came, {}) != [], old
    assert differences(replace(answer, status=200), came, {}) != []
    assert differences(replace(answer, headers={"etag": '"x"'}), came, {}) != []


@pytest.mark.parametrize(("page", "least"), [("README.md", 1), ("docs/api-guide.md", 4)])
def test_the_python_of_a_page_runs(
    service: Service, page: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMGRAPH_URL", service.url)
    monkeypatch.setenv("MEMGRAPH_API_KEY", service.key)
    known: dict[str, object] = {}
    text = (ROOT / page).read_text()
    # A block without the client is for those who are beside the graph.
    blocks = [b for b in guide.fences(text, "python") if "import memgraph\n" not in b]
    for block in blocks:
        exec(compile(block, page, "exec"), known)
    assert len(blocks) >= least
