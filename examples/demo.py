"""An order is processed, the service is killed in the middle of it, and nothing is done twice.

    python3 examples/demo.py

Needs Python 3.11 and nothing else: it makes an environment of its own in .venv-demo. What you see are the two commands
a person would type, `durably dev` and `durably invoke`, side by side. Leaves with 0 only if all went well.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
DEADLINE = 200.0
EXPECTED_LEDGER = [
    "reserve 7",
    "charge 7 525.00",
    "pick 7 from shelf-1 shelf-2",
    "weigh 7",
    "ask the manager about 7",
    "book a courier for 7",
]
EXPECTED_RECEIPT = {
    "order_id": 7,
    "status": "shipped",
    "paid": "525.00",
    "approved_by": "Grace Hopper",
    "tracking": "TRACK-00007-1000",
}
COLOURS = {"demo": "1;35", "service": "36", "order": "33"}


class DemoFailed(Exception):
    pass


def say(who: str, text: str) -> None:
    paint = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    label = f"{who:>7} │ "
    print(f"\x1b[{COLOURS[who]}m{label}\x1b[0m{text}" if paint else label + text, flush=True)


class Command:
    """A command whose output is shown as it comes, and can be waited for."""

    def __init__(self, who: str, arguments: list[str], environment: dict[str, str]) -> None:
        say("demo", "$ durably " + shlex.join(arguments))
        self.process = subprocess.Popen(
            [environment["DURABLY"], *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(who,), daemon=True)
        self._reader.start()

    def _read(self, who: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            say(who, line.rstrip())
            self._new.put(line)
        self._new.put(None)

    def wait_for(self, pattern: str, until: float) -> re.Match[str]:
        """The next line that holds ``pattern``."""
        while True:
            try:
                line = self._new.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise DemoFailed(f"{pattern!r} did not appear in time") from None
            if line is None:
                raise DemoFailed(f"the command ended before {pattern!r} appeared")
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def wait(self, until: float) -> int:
        """The exit code, after all output has been read."""
        code = self.process.wait(max(0.01, until - time.monotonic()))
        self._reader.join(5)
        while not self._new.empty():
            line = self._new.get()
            if line is not None:
                self.lines.append(line)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def durably_command() -> str:
    """The `durably` of the environment this runs in, or of one made for the purpose."""
    beside = Path(sys.executable).parent / "durably"
    if beside.exists() and sys.prefix != sys.base_prefix:
        return str(beside)
    directory = ROOT / ".venv-demo"
    python = directory / "bin" / "python"
    command = directory / "bin" / "durably"
    if not command.exists():
        say("demo", f"making an environment in {directory.name} (once; needs the network)")
        shutil.rmtree(directory, ignore_errors=True)
        if subprocess.run([sys.executable, "-m", "venv", str(directory)]).returncode != 0:
            raise DemoFailed("no environment could be made; on Debian and Ubuntu: apt install python3-venv")
    # Every time: the code here may have changed since.
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{ROOT}[service]"], check=True)
    return str(command)


def run(directory: Path, command: str) -> None:
    ledger = directory / "ledger.txt"
    store = directory / "orders.db"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "ORDER_LEDGER": str(ledger), "DURABLY": command, "PYTHONUTF8": "1"}
    environment["AWS_ENDPOINT_URL_LAMBDA"] = url
    serve = ["dev", "examples/order.py", "--port", port, "--store", str(store), "--no-reload"]
    until = time.monotonic() + DEADLINE
    started: list[Command] = []
    try:
        started.append(service := Command("service", serve, environment))
        service.wait_for("Start one:", until)
        started.append(order := Command("order", ["invoke", "order", "@examples/order.json"], environment))
        order.wait_for("cooling off.*waiting", until)

        say("demo", f"── kill -9 {service.process.pid}: the service dies while the order waits ──")
        service.kill()
        time.sleep(1)
        say("demo", "── and is started again ──")
        started.append(service := Command("service", serve, environment))

        callback_id = order.wait_for(r"durably callback succeed (\S+) ", until)[1]
        say("demo", "── the manager answers ──")
        answer = json.dumps({"approved": True, "by": "Grace Hopper"})
        started.append(manager := Command("demo", ["callback", "succeed", callback_id, answer], environment))
        if manager.wait(until) != 0:
            raise DemoFailed("the callback could not be answered")
        if order.wait(until) != 0:
            raise DemoFailed("the order did not succeed")
        check(order.lines, ledger.read_text(encoding="utf-8").splitlines())
        if service.interrupt() != 0:
            raise DemoFailed("the service did not stop cleanly")
    finally:
        for one in started:
            if one.process.poll() is None:
                one.kill()


def check(output: list[str], ledger: list[str]) -> None:
    say("demo", "── what the steps did, from their own ledger ──")
    for line in ledger:
        say("demo", f"   {line}")
    if ledger != EXPECTED_LEDGER:
        raise DemoFailed(f"the ledger should read {EXPECTED_LEDGER}")
    receipt = json.loads("".join(output[output.index("{\n") :]))
    if receipt != EXPECTED_RECEIPT:
        raise DemoFailed(f"the receipt should be {EXPECTED_RECEIPT}, not {receipt}")
    say("demo", "Every step was done exactly once, though the service died in between.")


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this may have an older one
        print("This needs Python 3.11 or newer.", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        command = durably_command()
        with tempfile.TemporaryDirectory(prefix="durably-demo-") as directory:
            run(Path(directory), command)
    except (DemoFailed, subprocess.SubprocessError) as exc:
        say("demo", f"FAILED: {exc}")
        return 1
    say("demo", f"Done in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
