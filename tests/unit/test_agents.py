from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from memgraph.domain.agents import AgentConfig, AgentMetrics
from memgraph.domain.errors import InvalidInput
from memgraph.domain.values import MAX_INTEGER, MAX_ITEMS

CANARY = "canary-7f3a"

counts = st.integers(0, 2**70)
metrics = st.builds(AgentMetrics, counts, counts, counts, counts, counts)
tasks = st.lists(st.tuples(st.booleans(), st.integers(0, 10**9), st.integers(0, 10**9)))


def _recorded(done: list[tuple[bool, int, int]]) -> AgentMetrics:
    return reduce(lambda total, task: total.record(*task), done, AgentMetrics())


def test_config_reads_lists_and_both_spellings() -> None:
    config = AgentConfig.model_validate(
        {
            "temperature": 2,
            "maxTokens": 1,
            "timeout_seconds": 1,
            "maxRetries": 0,
            "tools_enabled": ["search", "book"],
        }
    )
    assert config == AgentConfig(
        temperature=2.0,
        max_tokens=1,
        timeout_seconds=1,
        max_retries=0,
        tools_enabled=("search", "book"),
    )
    assert AgentConfig.model_validate_json(config.model_dump_json()) == config
    assert hash(config) == hash(config.model_copy())


def test_config_says_nothing_of_its_own() -> None:
    assert AgentConfig().model_dump(exclude_none=True) == {"tools_enabled": ()}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.01),
        ("temperature", 2.01),
        ("temperature", float("nan")),
        ("temperature", "1"),
        ("temperature", True),
        ("max_tokens", 0),
        ("max_tokens", MAX_INTEGER + 1),
        ("max_tokens", 1.0),
        ("timeout_seconds", 0),
        ("max_retries", -1),
        ("max_retries", True),
        ("tools_enabled", [1]),
        ("tools_enabled", [""]),
        ("tools_enabled", ["t"] * (MAX_ITEMS + 1)),
        ("tools_enabled", "search"),
        ("mood", CANARY),
        ("max_tokens", CANARY),
    ],
)
def test_config_refuses(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        AgentConfig.model_validate({field: value})
    assert CANARY not in str(caught.value)


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        AgentConfig().temperature = 1.0  # type: ignore[misc]


def test_metrics_before_the_first_task() -> None:
    assert AgentMetrics().average_latency_ms is None
    assert AgentMetrics().success_rate is None


def test_metrics_of_a_few_tasks() -> None:
    done = _recorded([(True, 100, 7), (False, 300, 0), (True, 201, 3)])
    assert done == AgentMetrics(3, 2, 1, 601, 10)
    assert done.average_latency_ms == pytest.approx(601 / 3)
    assert done.success_rate == pytest.approx(2 / 3)


@pytest.mark.parametrize(("latency_ms", "tokens"), [(-1, 0), (0, -1)])
def test_a_negative_measure_is_refused_even_if_the_sum_stays_positive(
    latency_ms: int, tokens: int
) -> None:
    with pytest.raises(InvalidInput, match="negative"):
        AgentMetrics(5, 5, 0, 1000, 1000).record(True, latency_ms, tokens)


@given(metrics, metrics, metrics)
def test_merge_is_associative_commutative_and_has_a_neutral_element(
    a: AgentMetrics, b: AgentMetrics, c: AgentMetrics
) -> None:
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(b) == b.merge(a)
    assert a.merge(AgentMetrics()) == a


@given(tasks, st.data())
def test_any_split_and_order_of_the_tasks_gives_the_same(
    done: list[tuple[bool, int, int]], data: st.DataObject
) -> None:
    whole = _recorded(done)
    mixed = data.draw(st.permutations(done))
    cut = data.draw(st.integers(0, len(done)))
    assert _recorded(mixed[:cut]).merge(_recorded(mixed[cut:])) == whole
    assert whole.total_prompts == whole.finished_tasks == len(done)
    if done:
        assert whole.success_rate == sum(ok for ok, _, _ in done) / len(done)
        assert whole.average_latency_ms == sum(ms for _, ms, _ in done) / len(done)
