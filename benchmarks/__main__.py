"""Run the benchmarks and print their table: ``python -m benchmarks P1 P6 --nodes 1000000``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    consuming,
    ingesting,
    neomodel_calls,
    reading,
    server,
    serving,
    starting,
    streaming,
    writing,
)
from benchmarks.replay import Replay, find_source
from benchmarks.server import Bench, environment, say
from benchmarks.table import Line, as_json, render
from memgraph.bootstrap import collect_seldom

DEFAULT_NODES = 100_000

# Filling the graph that P5 to P7 read warms the server up for the others.
BENCHMARKS: dict[str, Callable[[Bench], list[Line]]] = {
    "P6": reading.run,
    "P7": streaming.run,
    "P5": serving.read,
    "P4": serving.write,
    "P1": writing.run,
    "P2": ingesting.run,
    "P3": consuming.run,
    "P11": neomodel_calls.run,
    "P12": starting.run,
}


def main() -> int:
    """Run what was asked for; 1 when something is lost or a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--nodes", type=int, default=DEFAULT_NODES, help="size of the graph read")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data-dir", type=Path, help="kept, so that the graph is built once")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    names = [name.upper() for name in options.names] or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="memgraph-bench-") as temporary:
        data_dir = (options.data_dir or Path(temporary)).resolve()
        return _run(names, data_dir, options)


def _run(names: list[str], data_dir: Path, options: argparse.Namespace) -> int:
    began = time.monotonic()
    collect_seldom()  # as the processes that are measured do; the baseline gains as well
    replay = Replay(find_source(), options.seed)
    lines: list[Line] = []
    with server.serving(data_dir) as app:
        facts = environment(app)
        bench = Bench(app, data_dir, replay, options.nodes, options.seed)
        for name in (name for name in BENCHMARKS if name in names):
            say(f"{name} begins")
            lines += BENCHMARKS[name](bench)
    lines.sort(key=lambda line: int(line.id[1:]))
    facts |= {
        "seed": options.seed,
        "nodes": options.nodes,
        "sessions_of_source": replay.sessions,
        "took_s": round(time.monotonic() - began),
    }
    if options.as_json:
        print(json.dumps({"environment": facts, "lines": [as_json(x) for x in lines]}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in facts.items()))
        print(render(lines))
    return 0 if all(line.is_good for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
