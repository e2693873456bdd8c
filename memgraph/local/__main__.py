"""``python -m memgraph.local prepare`` fetches what local servers need, once per user.

``python -m memgraph.local CONFIG`` is the supervisor; ``stack.start`` starts it.
"""

from __future__ import annotations

import sys

from memgraph.local.stack import prepare
from memgraph.local.supervisor import main


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["prepare"]:
        prepare(kafka="--with-kafka" in sys.argv, on_progress=_print)
    else:
        sys.exit(main(sys.argv[1]))
