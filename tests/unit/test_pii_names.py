"""Names join what is found by form, in findings and in what policies do."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.bootstrap import App
from memgraph.domain.errors import StackError
from memgraph.domain.mutations import Outcome
from memgraph.domain.pii import PERSON_NAME, Finding, find, redact, with_names
from memgraph.domain.values import PiiPolicy
from memgraph.services.enrichment import run_stages
from memgraph.services.enrichment.items import Item
from memgraph.services.enrichment.single import NullSeenEvents
from memgraph.services.enrichment.texts import SHORT, Texts
from memgraph.settings import IngestSettings, Settings
from memgraph.wsgi import serve
from tests.support.events import at, event
from tests.support.names import KnownNames
from tests.support.pipelines import NullTexts, plain_toolbox

TEXT = "Maria Keller, maria@example.com"


def test_names_stand_beside_the_rest() -> None:
    assert redact(TEXT, with_names(TEXT, find(TEXT), [(0, 12)])) == "[person_name], [email]"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ((0, 19), "[person_name] [email]"),
        ((8, 31), "Maria Ke[person_name] [email]"),
        ((14, 31), "Maria Keller, [email]"),
        ((16, 20), "Maria Keller, [email]"),
        ((12, 14), "Maria Keller[person_name] [email]"),
    ],
)
def test_what_is_both_counts_by_its_form(name: tuple[int, int], expected: str) -> None:
    assert redact(TEXT, with_names(TEXT, find(TEXT), [name])) == expected


SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=5)


def laid_out(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps and lengths as spans, one after the other."""
    found, end = [], 0
    for gap, length in spans:
        found.append((end + gap, end + gap + length))
        end += gap + length
    return found


@given(SPANS, SPANS, st.text(st.sampled_from("ab \n"), min_size=90, max_size=90))
def test_together_they_cover_what_each_covers(
    forms: list[tuple[int, int]], names: list[tuple[int, int]], text: str
) -> None:
    findings = [Finding("form", *span) for span in laid_out(forms)]
    found = with_names(text, findings, laid_out(names))
    assert [f for f in found if f.kind == "form"] == findings
    assert all(one.end <= other.start for one, other in pairwise(found))
    covered = {i for f in found for i in range(f.start, f.end)}
    named = {i for start, end in laid_out(names) for i in range(start, end)}
    assert all(text[i].isspace() for i in named - covered)


class Counted(KnownNames):
    asked = 0

    def find(self, text: str) -> list[tuple[int, int]]:
        self.asked += 1
        return super().find(text)


@pytest.mark.parametrize("text", ["Maria Keller wrote", "Maria Keller wrote " + "x" * SHORT])
def test_the_model_is_asked_once_for_each_text(text: str) -> None:
    names = Counted()
    texts = Texts(NullTexts(), NullTexts(), names)
    expected = [Finding(PERSON_NAME, 0, 12)]
    assert texts.personal_data(text) == texts.personal_data(text) == expected
    assert names.asked == 1
    assert Texts(NullTexts(), NullTexts()).personal_data(text) == []


def treated(policy: PiiPolicy) -> Item:
    said: dict[str, Any] = {"prompt": {"text": "Ask Maria Keller."}, "session": {"id": "s"}}
    item = Item(event(event_id="p", timestamp=at(0), **said))
    texts = Texts(NullTexts(), NullTexts(), KnownNames())
    tools = replace(plain_toolbox(), texts=texts).of("t", NullSeenEvents())
    list(run_stages([item], replace(tools, pii_policy=policy)))
    return item


class TestPolicies:
    def test_a_name_is_flagged(self) -> None:
        item = treated(PiiPolicy.FLAG)
        assert item.enriched["pii_kinds"] == [PERSON_NAME]
        assert item.event.prompt.text == "Ask Maria Keller."

    def test_a_name_is_redacted(self) -> None:
        item = treated(PiiPolicy.REDACT)
        assert item.event.prompt.text == "Ask [person_name]."
        assert b"Keller" not in item.payload

    def test_a_name_is_refused(self) -> None:
        item = treated(PiiPolicy.REFUSE)
        assert (item.outcome, item.detail) == (Outcome.REJECTED, {"kinds": [PERSON_NAME]})
        assert item.payload == b""


def test_a_model_that_is_missing_is_told_at_the_start() -> None:
    settings = Settings(ingest=IngestSettings(names_model="no_such_pipeline"))
    with pytest.raises(StackError, match="names_model"):
        serve(settings)
    app = App(settings, model=None, graph=None)  # type: ignore[arg-type]
    with pytest.raises(StackError, match="names_model"):
        _ = app.texts
