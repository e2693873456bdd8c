"""What a store of vectors must do, and what crashes and damage do to its files."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgraph.adapters.segments import FileVectorSegments, folder_name
from memgraph.domain.errors import EmbedderUnavailable
from tests.support.embedding import InMemoryVectorSegments

DIMENSIONS = 4
MODEL = "model/1"


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def vectors(*firsts: float) -> np.ndarray:
    return np.array([[first, 0.5, -1, 0] for first in firsts], dtype=np.float32)


def opened(root: Path, **more: int) -> FileVectorSegments:
    return FileVectorSegments(root, MODEL, DIMENSIONS, **more)


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    return opened(tmp_path) if request.param == "files" else InMemoryVectorSegments()


class TestEveryStore:
    def test_is_empty_at_first(self, store: FileVectorSegments) -> None:
        assert store.count == 0
        assert store.get([key("a")]) == {}
        assert list(store.iter_batches()) == []

    def test_gives_what_it_got(self, store: FileVectorSegments) -> None:
        assert store.append([key("a"), key("b")], vectors(1, 2)) == 2
        found = store.get([key("b"), key("c"), key("a")])
        assert {name: vector[0] for name, vector in found.items()} == {key("a"): 1, key("b"): 2}
        assert all(vector.dtype == np.float32 for vector in found.values())
        assert store.count == 2

    def test_the_first_vector_of_a_key_stays(self, store: FileVectorSegments) -> None:
        store.append([key("a"), key("a")], vectors(1, 2))
        assert store.append([key("a"), key("b")], vectors(3, 4)) == 1
        assert store.append([key("a")], vectors(5)) == 0
        assert [store.get([key(n)])[key(n)][0] for n in "ab"] == [1, 4]
        assert store.count == 2

    def test_batches_hold_all_in_order(self, store: FileVectorSegments) -> None:
        store.append([key("a"), key("b")], vectors(1, 2))
        store.append([key("c")], vectors(3))
        keys, numbers = zip(*store.iter_batches(), strict=True)
        assert [k.tobytes().hex() for k in np.concatenate(keys)] == [key(n) for n in "abc"]
        together = np.concatenate(numbers)
        assert together.dtype == np.float16
        assert together[:, 0].tolist() == [1, 2, 3]

    def test_refuses_vectors_of_another_length(self, store: FileVectorSegments) -> None:
        with pytest.raises(ValueError, match="expected 1 vectors"):
            store.append([key("a")], vectors(1, 2))


class TestFiles:
    def test_last(self, tmp_path: Path) -> None:
        opened(tmp_path).append([key("a")], vectors(1))
        again = opened(tmp_path)
        assert (again.count, again.get([key("a")])[key("a")].tolist()) == (1, [1, 0.5, -1, 0])

    def test_what_another_wrote_is_seen(self, tmp_path: Path) -> None:
        one, other = opened(tmp_path), opened(tmp_path)
        one.append([key("a")], vectors(1))
        assert other.append([key("a"), key("b")], vectors(2, 3)) == 1
        assert {k: v[0] for k, v in one.get([key("a"), key("b")]).items()} == {
            key("a"): 1,
            key("b"): 3,
        }

    def test_models_are_apart(self, tmp_path: Path) -> None:
        opened(tmp_path).append([key("a")], vectors(1))
        assert FileVectorSegments(tmp_path, "model 1", DIMENSIONS).count == 0

    @pytest.mark.parametrize("model_id", ["..", "/", "", "é" * 500, "A/b"])
    def test_any_id_makes_a_folder_of_its_own(self, tmp_path: Path, model_id: str) -> None:
        folder = tmp_path / folder_name(model_id)
        assert folder.parent == tmp_path
        assert len(folder.name) < 100
        assert folder_name(model_id) != folder_name(model_id + "x")

    def test_go_on_in_the_next_when_long(self, tmp_path: Path) -> None:
        store, reader = opened(tmp_path, most_file_bytes=100), opened(tmp_path)
        for n in range(7):
            store.append([key(n)], vectors(n))
        assert len(list(tmp_path.rglob("*.vectors"))) > 2
        for other in (reader, opened(tmp_path, most_file_bytes=100)):
            assert [other.get([key(n)])[key(n)][0] for n in range(7)] == list(range(7))

    def test_many_appends_hold_few_descriptors(self, tmp_path: Path) -> None:
        store = opened(tmp_path)
        before = descriptors()
        for n in range(100):
            store.append([key(n)], vectors(n))
        assert descriptors() - before < 5
        assert store.count == 100

    def test_many_keys_are_found_wherever_they_are_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memgraph.adapters.segments._FOLDED_FROM", 10)
        # Keys that begin alike are told apart by the rest.
        names = [("00" * 8 if n % 3 == 0 else "") + key(n) for n in range(50)]
        names = [name[:64] for name in names]
        store = opened(tmp_path)
        for n, name in enumerate(names):
            assert store.append([name], vectors(n)) == 1
        assert store.append(names, vectors(*range(50))) == 0
        found = store.get(names)
        assert [found[name][0] for name in names] == list(range(50))
        assert store.get([("00" * 8 + key("none"))[:64]]) == {}
        assert (store.count, opened(tmp_path).count) == (50, 50)


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def the_file(root: Path) -> Path:
    [path] = root.rglob("*.vectors")
    return path


class TestCrash:
    @settings(max_examples=40, deadline=None)
    @given(cut=st.integers(0, 400))
    def test_any_cut_leaves_whole_blocks(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int
    ) -> None:
        root = tmp_path_factory.mktemp("cut")
        store = opened(root)
        ends = []
        for n in range(3):
            store.append([key(n), key(f"{n}b")], vectors(n, n))
            ends.append(the_file(root).stat().st_size)
        os.truncate(the_file(root), max(ends[-1] - cut, 0))
        whole = sum(end <= ends[-1] - cut for end in ends)
        again = opened(root)
        assert again.count == 2 * whole
        assert again.append([key(n) for n in range(3)], vectors(0, 1, 2)) == 3 - whole
        for n in range(3):
            assert opened(root).get([key(n)])[key(n)][0] == n

    def test_rubbish_at_the_end_is_cut_off(self, tmp_path: Path) -> None:
        opened(tmp_path).append([key("a")], vectors(1))
        with the_file(tmp_path).open("ab") as file:
            file.write(b"\x00" * 100)
        store = opened(tmp_path)
        store.append([key("b")], vectors(2))
        assert opened(tmp_path).get([key("b")])[key("b")][0] == 2

    def test_a_last_block_whose_sum_is_wrong_is_torn(self, tmp_path: Path) -> None:
        store = opened(tmp_path)
        store.append([key("a")], vectors(1))
        store.append([key("b")], vectors(2))
        damage(tmp_path, -1)
        assert opened(tmp_path).count == 1
        assert opened(tmp_path).append([key("b")], vectors(3)) == 1

    def test_a_damaged_block_among_others_is_left_out(self, tmp_path: Path) -> None:
        store = opened(tmp_path)
        store.append([key("a")], vectors(1))
        end = the_file(tmp_path).stat().st_size
        store.append([key("b")], vectors(2))
        damage(tmp_path, end - 1)
        again = opened(tmp_path)
        assert set(again.get([key("a"), key("b")])) == {key("b")}
        assert again.append([key("a")], vectors(3)) == 1
        assert opened(tmp_path).get([key("a")])[key("a")][0] == 3

    @pytest.mark.parametrize(("place", "said"), [(8, "version 2"), (12, "model"), (20, "model")])
    def test_a_file_of_another_kind_is_refused(self, tmp_path: Path, place: int, said: str) -> None:
        opened(tmp_path).append([key("a")], vectors(1))
        data = bytearray(the_file(tmp_path).read_bytes())
        data[place : place + 4] = struct.pack("<I", 2)
        the_file(tmp_path).write_bytes(data)
        with pytest.raises(EmbedderUnavailable, match=said):
            opened(tmp_path)

    def test_a_full_disk_loses_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = opened(tmp_path)
        store.append([key("a")], vectors(1))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full_disk)
            with pytest.raises(OSError, match="full"):
                store.append([key("b")], vectors(2))
        os.truncate(the_file(tmp_path), the_file(tmp_path).stat().st_size - 3)
        assert store.append([key("b")], vectors(3)) == 1
        assert {k: v[0] for k, v in opened(tmp_path).get(map(key, "ab")).items()} == {
            key("a"): 1,
            key("b"): 3,
        }

    def test_processes_that_are_killed_leave_every_vector_they_told_of(
        self, tmp_path: Path
    ) -> None:
        context = multiprocessing.get_context("fork")
        done: list[str] = []
        workers = []
        for n in range(3):
            # A pipe for each: who is killed may hold what others wait for.
            ours, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=append_for_ever, args=(tmp_path, n, theirs.send))
            worker.start()
            workers.append((worker, ours))
        for worker, ours in workers:
            done += [ours.recv() for _ in range(60)]
            os.kill(worker.pid or 0, signal.SIGKILL)
            worker.join()
        store = opened(tmp_path, most_file_bytes=4_000)
        assert set(store.get(done)) == set(done)
        assert all(vector[1] == 0.5 for vector in store.get(done).values())
        assert store.append([key("after")], vectors(1)) == 1


def damage(root: Path, place: int) -> None:
    data = bytearray(the_file(root).read_bytes())
    data[place] ^= 0xFF
    the_file(root).write_bytes(data)


def full_disk(_: int) -> None:
    raise OSError(28, "the disk is full")


def append_for_ever(root: Path, worker: int, tell: Callable[[str], None]) -> None:
    store, n = opened(root, most_file_bytes=4_000), 0
    while True:
        names: Sequence[str] = [key(f"{worker} {n} {i}") for i in range(3)] + [key(f"all {n}")]
        store.append(names, vectors(1, 2, 3, 4))
        for name in names:
            tell(name)
        n += 1
