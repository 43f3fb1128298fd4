"""The conditions a table was made under."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path


def conditions(directory: Path) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory()}",
        "system": f"{platform.system()} {platform.release()}",
        "load": ", ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 minutes) at the start",
        "filesystem": f"{_filesystem(directory)}; a 4 KiB write with fsync takes {_fsync(directory):.0f} us (median)",
        "sqlite": sqlite3.sqlite_version,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return "memory unknown"


def _filesystem(directory: Path) -> str:
    """The mount that holds ``directory``: the longest mount point that is one of its parents."""
    best = ("", "unknown filesystem")
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return best[1]
    for line in mounts:
        device, point, kind, *_ = line.split()
        if directory.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, f"{kind} on {device}")
    return best[1]


def _fsync(directory: Path) -> float:
    with tempfile.TemporaryFile(dir=directory) as file:
        durations: list[float] = []
        for _ in range(100):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            durations.append(time.perf_counter() - began)
    return statistics.median(durations) * 1e6
