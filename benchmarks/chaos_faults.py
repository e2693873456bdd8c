"""What breaks in a run of chaos, and the pace that leaves work for each fault."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import redis

from benchmarks.broker import Broker
from benchmarks.kept import Kept
from benchmarks.server import say
from benchmarks.service import Service
from memgraph.local import find, start, stop

NEO4J_OUTAGE_S = 30.0
BROKER_OUTAGE_S = 60.0
VISIT_S = 3.0
"""A second reader stays so long after it got partitions."""
PARTITIONS_CAME = b"partitions came"
BEFORE_S = (0.2, 3.0)
"""Shortest and longest time that work goes on before a fault."""
PAUSED_S = (1.0, 8.0)


class Pace:
    """Lets work go out in equal shares, one for each fault and one for after them.

    So every fault finds something at work, however fast the machine is.
    """

    def __init__(self, faults: int) -> None:
        self._shares = faults + 1
        self._open = 0
        self._changed = threading.Condition()

    def open(self) -> None:
        """Let the next share go."""
        with self._changed:
            self._open += 1
            self._changed.notify_all()

    def open_all(self) -> None:
        with self._changed:
            self._open = self._shares
            self._changed.notify_all()

    def wait(self, number: int, of: int) -> None:
        """Return when the piece of work with this number, from 0, may go out."""
        with self._changed:
            self._changed.wait_for(lambda: number * self._shares < self._open * of)


@dataclass
class Faults:
    """Things that break, one after the other, while events are sent."""

    data_dir: Path
    service: Service
    broker: Broker
    consumer: Kept
    relay: Kept
    visitor: Callable[[], AbstractContextManager[Kept]]
    """Starts a second reader of the group."""
    random: Random
    done: Counter[str] = field(default_factory=Counter)

    def run(self, count: int, pace: Pace, only: str = "") -> None:
        """Break things so many times, each kind as often as the others.

        ``only`` keeps to the kinds whose names begin with it.
        """
        kinds = [
            self.kill_worker,
            self.kill_consumer,
            self.kill_relay,
            self.stop_broker,
            self.stop_neo4j,
            self.rebalance,
            self.pause_neo4j,
            self.flush_redis,
            self.pause_redis,
        ]
        kinds = [kind for kind in kinds if kind.__name__.startswith(only)]
        order = [kinds[n % len(kinds)] for n in range(count)]
        self.random.shuffle(order)
        try:
            for act in order:
                pace.open()
                time.sleep(self.random.uniform(*BEFORE_S))
                name = act.__name__.replace("_", " ")
                say(name)
                act()
                self.done[name] += 1
        finally:
            pace.open_all()

    def kill_worker(self) -> None:
        workers = self.service.workers
        if workers:
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(workers), signal.SIGKILL)

    def kill_consumer(self) -> None:
        self.consumer.kill()

    def kill_relay(self) -> None:
        self.relay.kill()

    def rebalance(self) -> None:
        """Another reader comes, takes partitions, and goes."""
        with self.visitor() as second:
            second.wait_until_it_says(PARTITIONS_CAME)
            time.sleep(VISIT_S)

    def stop_broker(self) -> None:
        """Away for a minute."""
        self.broker.stop()
        time.sleep(BROKER_OUTAGE_S)
        self.broker.start()

    def stop_neo4j(self) -> None:
        """Away for half a minute, and Redis with it."""
        stop(self.data_dir)
        time.sleep(NEO4J_OUTAGE_S)
        start(self.data_dir, browser=False, detach=False)

    def pause_neo4j(self) -> None:
        self._pause("neo4j")

    def pause_redis(self) -> None:
        self._pause("redis")

    def flush_redis(self) -> None:
        stack = find(self.data_dir)
        if stack is not None and stack.redis:
            with redis.Redis.from_url(stack.redis) as client:
                client.flushall()

    def _pause(self, server: str) -> None:
        stack = find(self.data_dir)
        if stack is None:
            return
        os.kill(stack.pids[server], signal.SIGSTOP)
        time.sleep(self.random.uniform(*PAUSED_S))
        os.kill(stack.pids[server], signal.SIGCONT)
