"""Prints a template's functions as JSON: ``python -m driver.functions TEMPLATE NAME=VALUE...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from driver import template


def main() -> None:
    path, *assignments = sys.argv[1:]
    parameters = dict(assignment.split("=", 1) for assignment in assignments)
    try:
        found = template.functions(template.load(Path(path)), Path(path).parent, parameters)
    except template.TemplateError as error:
        sys.exit(f"{path}: {error}")
    print(json.dumps([function.as_json() for function in found]))


if __name__ == "__main__":
    main()
