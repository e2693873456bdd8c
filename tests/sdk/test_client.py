"""The client on the real service: what is said is read, what is refused is an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import Client
from memgraph_sdk.arguments import Context, RelatedBody

from memgraph.domain.access import Permission, Role
from tests.sdk.conftest import ClientAs

README = Path(__file__).parents[2] / "sdk" / "README.md"


def talk(client: Client, session: str = "s", *, turns: int = 1) -> list[str]:
    """A conversation; returns its prompts."""
    prompts = []
    for turn in range(turns):
        prompt = client.prompts.create(session, prompt={"text": f"Question {turn}"}).id
        client.responses.create(prompt, response={"text": f"Answer {turn}"})
        prompts.append(prompt)
    return prompts


def test_a_conversation(client: Client) -> None:
    session = client.sessions.create(id="s", title="A parcel", user_id="u", tags=["t"])
    assert (session.session_id, session.is_active, session.tags) == ("s", True, ["t"])
    prompt = client.prompts.create("s", prompt={"text": "Where is it?"}, agent_id="a", user_id="u")
    assert prompt.outcome == "stored"
    response = client.responses.create(
        prompt.id, id="r", response={"text": "Here."}, metrics={"latency": 12, "cost": 0.5}
    )
    call = client.tool_invocations.create(response.id, id="t", tool_name="track")
    client.tool_invocations.update(call.id, status="success", result={"at": "home"})
    client.handoffs.create("r", to_agent_id="b", handoff_reason="refund")
    score = client.scores.create(name="helpful", value=1.0, response_id="r")

    assert client.prompts.get(prompt.id).text == "Where is it?"
    assert {(k.type, k.id) for k in client.prompts.get(prompt.id).links} == {
        ("PART_OF", "s"),
        ("HANDLED_BY", "a"),
    }
    assert client.prompts.get(prompt.id).user_id == "u"
    assert client.responses.get("r").latency_ms == 12
    assert client.tool_invocations.get("t").result == {"at": "home"}
    assert client.scores.get(score.id).value == 1.0
    [asked] = client.sessions.thread("s").prompts
    [answered] = asked.responses
    assert (asked.agent, answered.text, answered.cost_usd) == ("a", "Here.", 0.5)
    assert [h.handoff_reason for h in answered.handoffs] == ["refund"]
    summary = client.sessions.get("s").summary
    assert summary is not None
    assert (summary.prompts, summary.tool_invocations) == (1, 1)


def test_questions(client: Client) -> None:
    [prompt] = talk(client)
    lineage = client.lineage("prompt", prompt, direction="down")
    assert {label for node in lineage.nodes for label in node.labels} == {"Prompt", "Response"}
    assert [edge.type for edge in lineage.edges] == ["RESPONDS_TO"]
    assert lineage.edges[0].from_ == lineage.root
    client.prompts.create("s", prompt={"text": "x"}, model={"id": "m", "version": "1"})
    impact = client.impact("model", "m@1")
    assert (impact.prompts, impact.live_sessions) == (1, 1)
    assert {n.type for n in client.neighbours("session", "s")} == {"PART_OF"}
    assert client.stats().nodes["Prompt"] == 2


def test_lists_go_over_all_pages(client: Client) -> None:
    prompts = talk(client, turns=5)
    assert [p.prompt_id for p in client.prompts.list("s", limit=2)] == prompts
    for number in range(3):
        client.sessions.create(id=f"x{number}", tags=["x"])
    assert {s.session_id for s in client.sessions.list(limit=1, tags=["x"])} == {"x0", "x1", "x2"}
    assert len(list(client.responses.list(prompts[0]))) == 1
    with pytest.raises(sdk.NotFound):
        list(client.tool_invocations.list("none"))


def test_queries_go_over_all_pages(client: Client) -> None:
    talk(client, turns=7)
    related: list[RelatedBody] = [{"type": "PART_OF", "kind": "session", "id": "s"}]
    found = client.query("prompt", related=related, limit=3)
    assert {node["text"] for node in found} == {f"Question {n}" for n in range(7)}
    assert {n["text"] for n in client.stream("response")} == {f"Answer {n}" for n in range(7)}
    after = datetime(2020, 1, 1, tzinfo=UTC)
    page = client.query_page(
        kind="prompt",
        where=[{"field": "created_at", "operator": "gt", "value": after}],
        limit=3,
        count=True,
        explain=True,
    )
    assert page.count is not None
    assert page.plan is not None
    assert (len(page.items), page.count.value, page.plan.access) == (3, 7, "range")
    rest = client.query("prompt", where=[{"field": "created_at", "operator": "gt", "value": after}])
    assert len(list(rest)) == 7


def test_registries(client: Client) -> None:
    client.agents.create(id="a", name="Triage", config={"temperature": 0.2})
    assert client.agents.update("a", status="paused").status == "paused"
    metrics = client.agents.get("a").metrics
    assert metrics is not None
    assert metrics.prompts == 0
    assert client.agents.network().pairs == []

    client.templates.create(
        id="tpl", name="Greeting", text="Hello {{name}}!", variables=[{"name": "name"}]
    )
    newer = client.templates.create_version("tpl", bump="minor", text="Hi {{name}}!")
    assert newer.version == "1.1.0"
    assert [v.version for v in client.templates.list_versions("tpl")] == ["1.1.0", "1.0.0"]
    made = client.templates.instantiate("tpl", session_id="s", bindings={"name": "Ada"})
    assert (made.text, client.prompts.get(made.id).text) == ("Hi Ada!", "Hi Ada!")
    assert client.templates.get("tpl", version="1.0.0").template_text == "Hello {{name}}!"
    assert len(client.templates.genealogy("tpl")) == 2

    first, second = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3))
    client.models.create(
        id="m", version={"version": "1", "input_usd_per_1k": 1.0, "valid_from": first}
    )
    client.models.create_version("m", version="2", input_usd_per_1k=0.5, valid_from=second)
    before = client.models.get("m", as_of=datetime(2026, 2, 1, tzinfo=UTC)).version
    valid = client.models.get("m").version
    assert before is not None
    assert valid is not None
    assert (before.version, valid.version) == ("1", "2")
    assert [v.version for v in client.models.list_versions("m")] == ["2", "1"]


def test_what_is_mentioned(client: Client) -> None:
    context: Context = {"documents": [{"id": "doc", "title": "Policy"}]}
    client.prompts.create("s", prompt={"text": "x"}, user_id="u", context=context)
    assert client.context_documents.get("doc").title == "Policy"
    assert client.users.get("u").user_id == "u"
    assert client.tools.stats() == []


def test_keys(client: Client) -> None:
    assert client.tenants.get().limits.client_burst > 0
    key = client.api_keys.create(name="reader", roles=["data_scientist"])
    assert key.api_key.startswith("mg_")
    assert key.key_id in {k.key_id for k in client.api_keys.list()}
    client.api_keys.revoke(key.key_id)


class TestSessions:
    def test_the_end(self, client: Client) -> None:
        client.sessions.create(id="s")
        assert client.sessions.close("s").is_active is False
        with pytest.raises(sdk.Conflict) as caught:
            client.sessions.update("s", is_active=True)
        assert caught.value.code == "invalid_transition"
        assert [e.field for e in caught.value.errors] == ["is_active"]

    def test_a_deleted_session_is_gone(self, client: Client) -> None:
        [prompt] = talk(client)
        client.sessions.delete("s")
        for read in (lambda: client.sessions.get("s"), lambda: client.prompts.get(prompt)):
            with pytest.raises(sdk.NotFound):
                read()

    def test_a_change_of_something_that_changed_meanwhile(self, client: Client) -> None:
        client.sessions.create(id="s", title="One")
        read = client.sessions.get("s")
        client.sessions.update("s", title="Two")
        with pytest.raises(sdk.PreconditionFailed):
            client.sessions.update("s", if_match=read.etag, title="Three")
        again = client.sessions.get("s")
        assert client.sessions.update("s", if_match=again.etag, title="Three").title == "Three"

    def test_what_an_event_says(self, client: Client) -> None:
        at = datetime(2026, 1, 2, 3, tzinfo=UTC)
        for _ in range(2):
            session = client.sessions.create(id="s", event_id="s-created", timestamp=at)
        assert session.created_at == at
        closed = client.sessions.update("s", is_active=False, timestamp="2026-01-02T04:00:00Z")
        assert closed.closed_at == datetime(2026, 1, 2, 4, tzinfo=UTC)


class TestRefusals:
    def test_the_fields_are_named(self, client: Client) -> None:
        with pytest.raises(sdk.InvalidInput) as caught:
            client.sessions.create(titel="x")  # type: ignore[call-arg]
        [broken] = caught.value.errors
        assert (broken.field, caught.value.status) == ("titel", 422)
        assert caught.value.request_id

    def test_other_content_is_a_conflict(self, client: Client) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        client.prompts.create("s", id="p", prompt={"text": "x"}, timestamp=at)
        assert (
            client.prompts.create("s", id="p", prompt={"text": "x"}, timestamp=at).outcome
            == "duplicate"
        )
        with pytest.raises(sdk.Conflict):
            client.prompts.create("s", id="p", prompt={"text": "y"}, timestamp=at)

    def test_rights(self, client_as: ClientAs) -> None:
        reader = client_as(Role.ADMIN, scopes=[Permission.READ_CONVERSATIONS])
        with pytest.raises(sdk.Forbidden):
            reader.sessions.create(id="s")
        with pytest.raises(sdk.NotFound):
            reader.sessions.get("s")

    def test_a_revoked_key(self, client: Client, url: str) -> None:
        key = client.api_keys.create(name="x", roles=["admin"])
        with Client(url, key.api_key) as other:
            assert list(other.sessions.list()) == []
            client.api_keys.revoke(key.key_id)
            with pytest.raises(sdk.Unauthenticated):
                list(other.sessions.list())


def test_the_readme(client: Client, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows works, one block after the other; the endless one is run elsewhere."""
    monkeypatch.setenv("MEMGRAPH_URL", url)
    key = client.api_keys.create(name="x", roles=["admin"]).api_key
    monkeypatch.setenv("MEMGRAPH_API_KEY", key)
    sdk.configure()
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    known: dict[str, object] = {}
    ending = [block for block in blocks if ".listen(" not in block]
    for block in ending:
        exec(block, known)
    sdk.configure(enabled=False)
    assert len(ending) == len(blocks) - 1 == 3
    assert client.stats().nodes["Response"] == 2


IDS = ["a/b", "ünï 👩‍👩‍👧", "x?y#z", "a%2Fb", "..", "a@b", "a b", "'"]


def test_any_id(client: Client, url: str) -> None:
    key = client.api_keys.create(name="x", roles=["admin"]).api_key
    with Client(url, key) as other:
        for id_ in IDS:
            assert other.prompts.create("s", id=id_, prompt={"text": "x"}).id == id_
            assert other.prompts.get(id_).prompt_id == id_


def test_a_stream_over_a_socket(client: Client, url: str) -> None:
    talk(client, turns=3)
    key = client.api_keys.create(name="x", roles=["admin"]).api_key
    with Client(url, key) as other:
        assert len(list(other.stream("prompt"))) == 3
        with pytest.raises(sdk.InvalidInput):
            list(other.stream("nonsense"))
