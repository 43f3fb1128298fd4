"""The console script. Nothing is imported before it is known that it can be."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

_EXTRA: Final = frozenset({"awslambdaric", "click", "httptools", "starlette", "uvicorn", "watchfiles"})


def main() -> None:
    """Run ``durably`` with the arguments of this process."""
    try:
        from .group import cli

        cli(prog_name="durably")
    except ModuleNotFoundError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        print(
            f"error: the command line needs {missing}, which is not installed here.\n"
            "Install it with the rest:  pip install 'durably[service]'",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
