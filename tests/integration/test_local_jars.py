"""Jars from Maven: pinned, verified, fetched once. Uses the smallest jar there is."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from memgraph.domain.errors import StackError
from memgraph.local import jars
from memgraph.local.jars import JarSet, resolve, stamp_path, write_lock

COORDINATE = "org.jspecify:jspecify:1.0.0"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of this user: jgo's, Maven's and ours."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("JGO_CACHE_DIR", str(tmp_path / "jgo"))
    monkeypatch.setattr(jars, "ATTEMPTS", 1)
    return tmp_path / "cache"


@pytest.fixture
def jar_set(tmp_path: Path, cache: Path) -> JarSet:
    """One jar, with a lock file of its own."""
    wanted = JarSet("JSpecify", "jspecify.lock", (COORDINATE,), tmp_path / "locks")
    assert write_lock(wanted) == 1
    return wanted


def test_fetched_once_then_found(jar_set: JarSet, cache: Path) -> None:
    said: list[str] = []
    (path,) = resolve(jar_set, said.append, cache)
    assert path.name == "jspecify-1.0.0.jar"
    assert "1 of 1 jars" in said[-1]
    said.clear()
    assert resolve(jar_set, said.append, cache) == [path]
    assert said == []


def test_what_was_removed_or_cut_short_is_fetched_again(jar_set: JarSet, cache: Path) -> None:
    (path,) = resolve(jar_set, cache_dir=cache)
    content = path.read_bytes()
    path.unlink()
    assert resolve(jar_set, cache_dir=cache) == [path]
    path.write_bytes(content[:100])
    with pytest.raises(StackError, match="its SHA-256 is"):  # with one attempt only
        resolve(jar_set, cache_dir=cache)
    assert resolve(jar_set, cache_dir=cache) == [path]
    assert path.read_bytes() == content


def test_a_second_attempt_replaces_a_wrong_jar(
    jar_set: JarSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = resolve(jar_set, cache_dir=cache)
    path.write_bytes(b"something else")
    monkeypatch.setattr(jars, "ATTEMPTS", 2)
    assert resolve(jar_set, cache_dir=cache) == [path]


def test_a_jar_that_is_not_what_the_lock_says_is_refused(jar_set: JarSet, cache: Path) -> None:
    jar_set.lock_path.write_text(f"{'0' * 64}  {COORDINATE}\n")
    with pytest.raises(StackError, match=f"cannot fetch {COORDINATE}"):
        resolve(replace(jar_set), cache_dir=cache)
    assert not stamp_path(jar_set, cache).exists()


def test_without_a_network_it_says_what_to_do(
    jar_set: JarSet, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "jgo.conf"
    config.write_text("[repositories]\ncentral = http://127.0.0.1:9/no-mirror\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "empty"))
    with pytest.raises(StackError, match=r"no-mirror.*Check the network or set a mirror"):
        resolve(jar_set, cache_dir=cache)


def test_a_broken_stamp_is_ignored(jar_set: JarSet, cache: Path) -> None:
    paths = resolve(jar_set, cache_dir=cache)
    stamp_path(jar_set, cache).write_text("not json")
    assert resolve(jar_set, cache_dir=cache) == paths


def test_one_process_fetches_and_the_others_wait(jar_set: JarSet, cache: Path) -> None:
    cache.mkdir()
    said: list[str] = []
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def on_progress(line: str) -> None:
            said.append(line)
            fcntl.flock(lock, fcntl.LOCK_UN)

        assert len(resolve(jar_set, on_progress, cache)) == 1
    assert "waiting for another process" in said[0]


def test_a_classifier_is_part_of_a_lock_line(tmp_path: Path, cache: Path) -> None:
    wanted = JarSet("sources", "s.lock", (f"{COORDINATE}:sources",), tmp_path / "locks")
    write_lock(wanted)
    (path,) = resolve(wanted, cache_dir=cache)
    assert path.name == "jspecify-1.0.0-sources.jar"
