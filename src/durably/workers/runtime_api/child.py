"""First code of every worker process: tie its life to the service's, then become the runtime client.

Run as a script, never imported. Arguments: the service's process id, then either ``--awslambdaric HANDLER`` or
``--`` and a command line. A service that is killed cannot end its children itself, and one that hangs in a
function would outlive it forever; so the kernel is asked to do it. Where it offers no such thing (only Linux
does), the runtime client still ends as soon as it finds the Runtime API's port closed.
"""

from __future__ import annotations

import os
import signal
import sys


def die_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    die_with(int(arguments[0]))
    if arguments[1] == "--":
        command = arguments[2:]
        os.execvp(command[0], command)
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    sys.argv = ["awslambdaric", arguments[2]]
    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main(sys.argv[1:])
