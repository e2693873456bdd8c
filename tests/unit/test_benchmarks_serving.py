"""P4 and P5: what is sent, and when a target is met."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import orjson
import pytest

from benchmarks.clients import Request, Target
from benchmarks.replay import Replay
from benchmarks.serving import PROMPTS_IN_SESSION, Said, read_lines

EXCERPTS = Path(__file__).parents[1] / "data"
TARGET = Target("http://127.0.0.1:1", "mg_secret")


@pytest.fixture(scope="module")
def said() -> Said:
    return Said(Replay(EXCERPTS, seed=7))


def path_and_body(request: Request) -> tuple[str, dict[str, object]]:
    head, _, body = request.data.partition(b"\r\n\r\n")
    return head.split()[1].decode(), orjson.loads(body)


def test_a_client_sends_real_prompts_in_sessions_of_its_own(said: Said) -> None:
    sent = [
        path_and_body(r)
        for _ in range(2)
        for r in islice(said.requests(TARGET), 2 * PROMPTS_IN_SESSION)
    ]
    assert len({body["id"] for _, body in sent}) == len(sent)
    assert len({path for path, _ in sent}) == 4
    texts = [m.fact_properties["text"] for m in said.mutations[: 2 * PROMPTS_IN_SESSION]]
    assert [body["prompt"]["text"] for _, body in sent[: len(texts)]] == texts  # type: ignore[index]


def test_rows_by_hand_are_the_same_prompts_alone(said: Said) -> None:
    rows = said.rows()
    assert len({m.fact for m in rows}) == len(rows)
    assert rows[0].fact_properties == said.mutations[0].fact_properties
    assert not any(m.edges or m.changes or m.mentions or m.place for m in rows)


@pytest.mark.parametrize(
    ("fresh", "cached", "verdicts"),
    [(2.9, 1.9, (True, True)), (3.1, 1.9, (False, True)), (2.9, 2.1, (True, False))],
)
def test_reads_are_promised_at_p95(
    fresh: float, cached: float, verdicts: tuple[bool, bool]
) -> None:
    took = {"by hand": [1.0] * 20, "fresh": [fresh] * 20, "cached": [cached] * 20}
    lines = list(read_lines(took))
    assert [line.verdict for line in lines] == [None, verdicts[0], None, verdicts[1]]
