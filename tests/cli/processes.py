"""``durably`` as a process of its own, watched line by line."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PATIENCE = 60.0


class Durably:
    """A running command. Both its outputs are read together, line by line."""

    def __init__(
        self, *arguments: str, cwd: Path, environment: dict[str, str] | None = None, stderr: int = subprocess.STDOUT
    ) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "durably.cli.main", *arguments],
            cwd=cwd,
            env={**clean, "HOME": str(cwd), "PYTHONUTF8": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        self.output = ""
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, pattern: str) -> re.Match[str]:
        """The next line with ``pattern``."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{pattern!r} did not appear in:\n{self.output}") from None
            if line is None:
                raise AssertionError(f"the command ended before {pattern!r} appeared:\n{self.output}")
            self.output += line
            found = re.search(pattern, line)
            if found:
                return found

    def ended(self) -> int:
        """The exit code, once the command has ended by itself."""
        code = self.process.wait(PATIENCE)
        self._close()
        return code

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._close()

    def _close(self) -> None:
        self._reader.join(PATIENCE)
        while not self._lines.empty():
            self.output += self._lines.get() or ""
        assert self.process.stdout is not None
        self.process.stdout.close()


class Dev(Durably):
    """``durably dev``, up and serving."""

    def __init__(
        self,
        target: str,
        *options: str,
        cwd: Path,
        environment: dict[str, str] | None = None,
        stderr: int = subprocess.STDOUT,
    ) -> None:
        super().__init__("dev", target, "--port", "0", *options, cwd=cwd, environment=environment, stderr=stderr)
        self.url = ""

    def ready(self) -> Dev:
        self.url = self.until(r"(http://127\.0\.0\.1:\d+)")[1]
        self.until("Start one:")
        return self

    def stop(self) -> int:
        self.signal(signal.SIGINT)
        return self.ended()


def durably(*arguments: str, cwd: Path, url: str = "") -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    if url:
        clean["AWS_ENDPOINT_URL_LAMBDA"] = url
    return subprocess.run(
        [sys.executable, "-m", "durably.cli.main", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def replace(path: Path, text: str) -> None:
    """As editors do it: never half a file."""
    draft = path.with_suffix(".tmp")
    draft.write_text(text)
    draft.replace(path)


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
