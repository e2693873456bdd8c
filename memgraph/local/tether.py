"""Become a command that the kernel kills when its parent dies: ``PARENT_PID COMMAND…`` (Linux).

Run as a script by ``process``, without site packages, so that it costs a few milliseconds.
A preexec function would do the same but is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie_to_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; exit when it has already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent died")


def main(arguments: list[str]) -> None:
    """Bind this process to its parent, then replace it by the command."""
    parent, *command = arguments
    tie_to_parent(int(parent))
    os.execv(command[0], command)  # noqa: S606 - a command of ours


if __name__ == "__main__":
    main(sys.argv[1:])
