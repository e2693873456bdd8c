"""Free text is found and replaced wherever an event holds it, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import orjson

from memgraph.domain.events import EVENT, EVENT_CLASSES, read_event
from memgraph.domain.events.texts import texts_of, with_texts
from tests.support.events import small_story

PROMPT = {
    "type": "prompt",
    "event_id": "secret-key",
    "timestamp": "2026-01-05T09:30:00Z",
    "prompt": {"text": "secret 1", "metadata": {"secret-name": [{"deep": "secret 2"}, 7, None]}},
    "session": {"id": "secret-session"},
    "context": {
        "conversation_history": [{"role": "user", "content": "secret 3"}],
        "documents": [{"id": "d", "content": "secret 4", "title": "Secret"}],
    },
    "template": {"id": "t", "version": "1.0.0", "bindings": {"x": "secret 5"}},
    "tags": ["secret-tag"],
}


def event(**more: Any) -> Any:
    return read_event(orjson.dumps({**PROMPT, **more}))


def test_every_text_is_found() -> None:
    assert list(texts_of(event())) == [f"secret {i}" for i in range(1, 6)]


def test_only_texts_are_replaced() -> None:
    before = event()
    after = with_texts(before, lambda text: text.replace("secret", "[gone]"))
    assert list(texts_of(after)) == [f"[gone] {i}" for i in range(1, 6)]
    assert list(texts_of(before)) == [f"secret {i}" for i in range(1, 6)]
    kept = (after.event_id, after.session.id, after.tags, after.context.documents[0].title)
    assert kept == ("secret-key", "secret-session", ["secret-tag"], "Secret")
    assert after.prompt.metadata["secret-name"][0] == {"deep": "[gone] 2"}
    assert EVENT.validate_json(EVENT.dump_json(after)) == after


def test_nothing_changed_is_the_same_event() -> None:
    before = event()
    assert with_texts(before, lambda text: text) is before


def test_every_class_can_be_looked_through() -> None:
    seen = set()
    for line in small_story():
        known = read_event(line)
        seen.add(type(known))
        assert with_texts(known, str) is known
        assert all(isinstance(text, str) for text in texts_of(known))
    assert len(seen) >= len(EVENT_CLASSES) // 2
