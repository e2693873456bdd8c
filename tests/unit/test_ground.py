"""Identifiers, settings, errors and permits."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

import pytest

from memgraph.domain.errors import KEY_SHOWN, InvalidInput, MemgraphError, Overloaded, shown
from memgraph.graph.permits import Permits
from memgraph.ids import random_int63, uuid7
from memgraph.settings import Settings, SettingsError, load_settings, variables


class TestIds:
    def test_uuid7_is_valid_unique_and_increasing_across_threads(self) -> None:
        made: list[str] = []
        lock = threading.Lock()

        def make() -> None:
            mine = [uuid7() for _ in range(5_000)]
            assert mine == sorted(mine)
            with lock:
                made.extend(mine)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(made)) == 20_000
        assert {uuid.UUID(m).version for m in made} == {7}
        now_ms = time.time_ns() // 1_000_000
        assert abs((uuid.UUID(made[-1]).int >> 80) - now_ms) < 60_000

    def test_random_integers_fit_a_property(self) -> None:
        drawn = {random_int63() for _ in range(1_000)}
        assert len(drawn) == 1_000
        assert all(0 <= n < 2**63 for n in drawn)


class TestErrors:
    def test_a_shown_key_is_short_and_printable(self) -> None:
        assert shown("plain") == "plain"
        assert shown("k" * 100) == "k" * KEY_SHOWN + "…"
        assert "\n" not in shown("a\nb\x1b[31m")

    def test_codes_are_unique(self) -> None:
        codes: dict[str, type] = {}
        todo = [MemgraphError]
        while todo:
            found = todo.pop()
            todo.extend(found.__subclasses__())
            assert found.code not in codes or found.code == "internal"
            codes[found.code] = found

    def test_invalid_input_carries_its_facts(self) -> None:
        error = InvalidInput("prompt.text", "is required", line=3)
        assert error.facts == {"field": "prompt.text", "rule": "is required", "line": 3}


class TestPermits:
    def test_no_more_than_the_limit_run_at_once_and_the_figures_say_so(self) -> None:
        permits = Permits(limit=3, acquire_timeout_ms=60_000)

        def work() -> None:
            with permits.one():
                time.sleep(0.02)

        threads = [threading.Thread(target=work) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        figures = permits.figures()
        assert (figures.total, figures.succeeded, figures.active) == (12, 12, 0)
        assert figures.peak <= 3
        assert figures.average_wait_ms > 0
        assert (figures.success_rate, figures.timeout_rate) == (1.0, 0.0)

    def test_a_permit_that_does_not_come_is_an_overload(self) -> None:
        permits = Permits(limit=1, acquire_timeout_ms=10)
        with permits.one(), pytest.raises(Overloaded, match="within 10 ms"), permits.one():
            raise AssertionError("no second permit")
        assert permits.figures().timeouts == 1
        assert permits.figures().timeout_rate == 0.5

    def test_a_failed_block_gives_its_permit_back(self) -> None:
        permits = Permits(limit=1, acquire_timeout_ms=10)
        with pytest.raises(ZeroDivisionError), permits.one():
            _ = 1 / 0
        with permits.one():
            pass
        assert permits.figures().success_rate == 0.5

    def test_figures_before_the_first_operation(self) -> None:
        figures = Permits(1, 1).figures()
        assert (figures.success_rate, figures.timeout_rate, figures.average_wait_ms) == (1, 0, 0)


class TestSettings:
    def test_the_environment_overrules_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "memgraph.toml"
        path.write_text('tenant = "filed"\n[ingest]\nbatch = 10\nwriters = 3\n')
        monkeypatch.setenv("MEMGRAPH_INGEST__BATCH", "20")
        settings = load_settings(path)
        assert (settings.tenant, settings.ingest.batch, settings.ingest.writers) == ("filed", 20, 3)

    def test_a_secret_comes_from_a_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = tmp_path / "password"
        secret.write_text("s3cret\n")
        monkeypatch.setenv("MEMGRAPH_NEO4J__PASSWORD_FILE", str(secret))
        settings = load_settings()
        assert settings.neo4j.password.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(settings)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('colour = "red"', "colour"),
            ("[neo4j]\ncolour = 1", "neo4j.colour"),
            ("tenant = ", "cannot read settings"),
            ("[ingest]\nbatch = 0", "ingest.batch"),
        ],
    )
    def test_a_wrong_file_is_named(self, tmp_path: Path, text: str, said: str) -> None:
        path = tmp_path / "memgraph.toml"
        path.write_text(text)
        with pytest.raises(SettingsError, match=said):
            load_settings(path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot read settings"):
            load_settings(tmp_path / "none.toml")

    def test_structured_settings_are_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MEMGRAPH_PROMOTED_METADATA", '{"Prompt": ["team"]}')
        assert load_settings().promoted_metadata == {"Prompt": ("team",)}

    def test_a_promoted_key_must_be_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MEMGRAPH_PROMOTED_METADATA", '{"Prompt": ["a-b) DETACH"]}')
        with pytest.raises(SettingsError, match=r"promoted_metadata\.Prompt"):
            load_settings()

    def test_every_setting_is_described_and_settings_do_not_change(self) -> None:
        assert all(field.description for _, field in variables())
        with pytest.raises(ValueError, match="frozen"):
            Settings().tenant = "x"
