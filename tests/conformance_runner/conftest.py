import sys
from pathlib import Path

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
for folder in (CONFORMANCE, CONFORMANCE / "handlers"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
