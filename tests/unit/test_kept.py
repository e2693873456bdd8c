"""Kept answers: how old they may be, and who loads them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from memgraph.services.kept import Kept


class Source:
    """Counts what is loaded; waits for ``gate``."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.now = 0.0

    def load(self, key: str) -> str:
        self.entered.set()
        assert self.gate.wait(60)
        self.loaded.append(key)
        if key == "broken":
            raise ValueError(key)
        return f"{key}{len(self.loaded)}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def kept(source: Source) -> Kept[str, str]:
    return Kept(source.load, life_s=10, most=2, clock=lambda: source.now)


def test_an_answer_is_loaded_again_when_it_is_old(source: Source, kept: Kept[str, str]) -> None:
    assert [kept.get("a"), kept.get("a")] == ["a1", "a1"]
    source.now = 10
    assert kept.get("a") == "a2"
    kept.get("b")
    kept.get("c")
    assert kept.get("a") == "a5"


def test_errors_pass_and_are_not_kept(source: Source, kept: Kept[str, str]) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            kept.get("broken")
    assert source.loaded == ["broken"] * 2


def test_many_wait_for_one(source: Source, kept: Kept[str, str]) -> None:
    source.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(kept.get, "a") for _ in range(20)]
        assert source.entered.wait(60)
        source.gate.set()
        assert {each.result(60) for each in asked} == {"a1"}
    assert source.loaded == ["a"]


def test_the_old_answer_serves_while_one_loads(source: Source, kept: Kept[str, str]) -> None:
    kept.get("a")
    source.entered.clear()
    source.gate.clear()
    source.now = 15
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(kept.get, "a")
        assert source.entered.wait(60)
        assert kept.get("a") == "a1"
        source.now = 20
        waiting = pool.submit(kept.get, "a")
        source.gate.set()
        assert (loading.result(60), waiting.result(60)) == ("a2", "a2")
