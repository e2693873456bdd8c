"""Jars of a Java server from Maven through jgo: pinned, verified, cached, safe to run twice.

A lock file in ``locks/`` names every jar with its SHA-256, so no dependency is resolved on
a user's machine: the jars are fetched into the Maven cache that jgo uses (``~/.m2`` unless
its configuration says otherwise), checked, and used from there. A stamp in the cache
directory remembers the sizes that were checked; a warm start only looks at them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from memgraph.domain.errors import StackError
from memgraph.local.extras import extra

DOWNLOADS = 6
"""Jars fetched at a time."""
ATTEMPTS = 3
REPORT_EVERY_S = 3.0
_LOCKS = Path(__file__).parent / "locks"


@dataclass(frozen=True)
class Jar:
    """One line of a lock file: ``sha256  group:artifact:version[:classifier]``."""

    coordinate: str
    sha256: str


@dataclass(frozen=True)
class JarSet:
    """The jars of one server: a lock file and the Maven coordinates that it was made from."""

    title: str
    lock_name: str
    coordinates: tuple[str, ...]
    locks: Path = _LOCKS

    @property
    def lock_path(self) -> Path:
        """The lock file."""
        return self.locks / self.lock_name

    @cached_property
    def jars(self) -> tuple[Jar, ...]:
        """The jars of the lock file in its order, which is the class path's."""
        lines = self.lock_path.read_text().splitlines()
        pairs = (line.split() for line in lines if line and not line.startswith("#"))
        return tuple(Jar(coordinate, sha256) for sha256, coordinate in pairs)


def default_cache_dir() -> Path:
    """Where stamps and the lock of downloads are kept."""
    return platformdirs.user_cache_path("memgraph") / "jars"


def stamp_path(jar_set: JarSet, cache_dir: Path | None = None) -> Path:
    """Return the path of the stamp of a set; its name changes with the lock file."""
    digest = hashlib.sha256(jar_set.lock_path.read_bytes()).hexdigest()[:16]
    return (cache_dir or default_cache_dir()) / f"{jar_set.lock_path.stem}-{digest}.json"


def resolve(
    jar_set: JarSet,
    on_progress: Callable[[str], None] = lambda _: None,
    cache_dir: Path | None = None,
) -> list[Path]:
    """Return the paths of all jars of a set, fetching what is missing. StackError if it fails.

    Takes about a millisecond per ten jars when all are there. A second process waits.
    """
    stamp = stamp_path(jar_set, cache_dir)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    paths = _stamped(stamp)
    if paths is None:
        with _locked(stamp.with_name("lock"), on_progress):
            paths = _stamped(stamp)
            if paths is None:
                paths = _fetch(jar_set, on_progress)
                sizes = {str(path): path.stat().st_size for path in paths}
                part = stamp.with_suffix(".part")
                part.write_text(json.dumps(sizes))
                part.replace(stamp)
    return paths


def _stamped(stamp: Path) -> list[Path] | None:
    try:
        sizes = json.loads(stamp.read_text())
        if all(Path(path).stat().st_size == size for path, size in sizes.items()):
            return [Path(path) for path in sizes]
    except (OSError, ValueError):
        pass
    return None


@contextmanager
def _locked(path: Path, on_progress: Callable[[str], None]) -> Iterator[None]:
    with path.open("w") as lock:
        said = -REPORT_EVERY_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - said >= REPORT_EVERY_S:
                    said = time.monotonic()
                    on_progress("waiting for another process that downloads jars")
                time.sleep(0.1)
            else:
                break
        yield


def _context() -> Any:
    """Return jgo's Maven context with the user's own jgo configuration (mirror, cache)."""
    config = extra("jgo.config").GlobalSettings.load()
    central = extra("jgo.constants").MAVEN_CENTRAL_URL
    return extra("jgo.maven").MavenContext(
        repo_cache=config.repo_cache, remote_repos={"central": central, **config.repositories}
    )


def _fetch(jar_set: JarSet, on_progress: Callable[[str], None]) -> list[Path]:
    context = _context()
    total, size, done = len(jar_set.jars), 0, 0
    said = time.monotonic()
    on_progress(
        f"fetching {jar_set.title}: {total} jars from Maven Central, "
        "the first time only, a minute or less"
    )
    pool = ThreadPoolExecutor(DOWNLOADS, thread_name_prefix="jars")
    try:
        futures: list[Future[Path]] = [pool.submit(_fetch_one, context, j) for j in jar_set.jars]
        pending = set(futures)
        while pending:
            finished, pending = wait(pending, REPORT_EVERY_S, return_when=FIRST_COMPLETED)
            for future in finished:
                size += future.result().stat().st_size
                done += 1
            if time.monotonic() - said >= REPORT_EVERY_S or not pending:
                said = time.monotonic()
                on_progress(f"fetching {jar_set.title}: {done} of {total} jars, {size >> 20} MB")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [future.result() for future in futures]


def _fetch_one(context: Any, jar: Jar) -> Path:
    """Return the path of one jar whose content was checked; fetch it again if it is wrong."""
    artifact = context.create_dependency(jar.coordinate).artifact
    problem: Exception | str = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(attempt)
        try:
            path = Path(artifact.resolve())
        except (OSError, RuntimeError, AssertionError) as error:
            problem = error
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == jar.sha256:
            return path
        problem = f"its SHA-256 is {found}, not {jar.sha256}"
        path.unlink()
    raise StackError(
        f"cannot fetch {jar.coordinate} from Maven: {problem}. Check the network or set a "
        "mirror under [repositories] in ~/.config/jgo.conf, then run it again: "
        "what is there already is kept",
        jar=jar.coordinate,
    )


def write_lock(jar_set: JarSet) -> int:
    """Resolve the coordinates with jgo and write the lock file; for a change of version."""
    artifacts = extra("jgo").resolve("+".join(jar_set.coordinates))
    lines = [f"# {coordinate}" for coordinate in jar_set.coordinates]
    for artifact in artifacts:
        parts = [artifact.groupId, artifact.artifactId, artifact.version]
        if artifact.classifier:
            parts.append(artifact.classifier)
        digest = hashlib.sha256(Path(artifact.resolve()).read_bytes()).hexdigest()
        lines.append(f"{digest}  {':'.join(parts)}")
    jar_set.lock_path.parent.mkdir(parents=True, exist_ok=True)
    jar_set.lock_path.write_text("\n".join(lines) + "\n")
    return len(artifacts)
