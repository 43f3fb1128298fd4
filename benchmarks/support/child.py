"""Run one program of one case in this process and print its measurement as the last line of standard output."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    module, program, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from support.model import Settings

    case = importlib.import_module(f"cases.{module}").CASE
    measurement = case.programs[program](Settings(**options))
    print()
    print(json.dumps(measurement), flush=True)


if __name__ == "__main__":
    main()
