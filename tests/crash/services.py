"""``durably dev`` as a process that is killed and started again on the same store and port."""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

APP = Path(__file__).with_name("app.py")
PATIENCE = 180.0
T = TypeVar("T")


def eventually(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """The first true value of ``condition``."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience:.0f} s: {what}")
        time.sleep(0.02)


class Service:
    """One store, one port, and at most one process that serves them."""

    def __init__(self, directory: Path, *options: str, app: Path = APP, **environment: str) -> None:
        self.directory = directory
        self.store = directory / "store.db"
        self.ledger = directory / "ledger"
        self.output = directory / "output"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = options
        self.app = app
        self.environment = environment
        self.mark = f"CRASH_MARK={uuid.uuid4()}"
        self.process: subprocess.Popen[bytes] | None = None
        self.killed_ms: list[int] = []
        """When a service process was dead."""
        self.killed_workers: set[int] = set()
        self.api: Any = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(
                retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=60, max_pool_connections=50
            ),
        )

    # ---- its life ----------------------------------------------------------------------------------------

    def spawn(self) -> subprocess.Popen[bytes]:
        name, value = self.mark.split("=")
        clean = {key: text for key, text in os.environ.items() if not key.startswith(("AWS_", "PYTEST_"))}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "durably.cli.main", "dev", str(self.app), "--no-reload"),
                    *("--store", str(self.store), "--port", str(self.port), *self.options),
                ],
                cwd=self.directory,
                env={
                    **clean,
                    "HOME": str(self.directory),
                    "PYTHONUTF8": "1",
                    "CRASH_LEDGER": str(self.ledger),
                    name: value,
                    **self.environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return self.process

    def start(self) -> Service:
        process = self.spawn()

        def up() -> bool:
            assert process.poll() is None, f"the service ended by itself ({process.returncode}):\n{self.tail()}"
            return self.listening()

        eventually(up, "the service listens")
        return self

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, f"the service ended by itself:\n{self.tail()}"
        self.process.kill()
        self.process.wait()
        self.killed_ms.append(now_ms())
        eventually(lambda: not self.processes(), "no process outlives a killed service")

    def stop(self) -> None:
        """Ctrl-C; it must leave nothing behind."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0, self.tail()
        assert self.processes() == []
        assert not self.listening()

    def destroy(self) -> None:
        """Whatever is left, at the end of a test."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.api.close()

    def listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def processes(self) -> list[int]:
        """Every living process that was started by any of this service's processes, however indirectly."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if self.mark.encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def workers(self) -> list[int]:
        assert self.process is not None
        return [pid for pid in self.processes() if pid != self.process.pid]

    def kill_worker(self, pid: int) -> None:
        self.killed_workers.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def limit_file_size(self, size: int) -> None:
        """No file of the service can grow beyond ``size`` bytes: to a program that is a full disk. -1: no limit."""
        assert self.process is not None
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY if size < 0 else size, hard))

    def tail(self) -> str:
        return self.output.read_bytes()[-6000:].decode(errors="replace")

    # ---- asking it -----------------------------------------------------------------------------------------

    def ask(self, action: str, **params: Any) -> Any:
        """Until there is an answer, whatever happens to the service meanwhile."""

        def answer() -> Any:
            try:
                return getattr(self.api, action)(**params)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                    return None
                raise
            except BotoCoreError:
                return None

        return eventually(answer, f"an answer to {action} {params}\n{self.tail()}")

    def invoke(self, function: str, payload: str, name: str) -> str:
        """Start an execution; one, however often it must be asked for. Its ARN."""
        answer = self.ask(
            "invoke",
            FunctionName=f"{function}:$LATEST",
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=payload,
        )
        answer["Payload"].close()
        return str(answer["DurableExecutionArn"])

    def execution(self, arn: str) -> Any:
        return self.ask("get_durable_execution", DurableExecutionArn=arn)

    def ended(self, arn: str, patience: float = PATIENCE) -> Any:
        def found() -> Any:
            execution = self.execution(arn)
            return execution if execution["Status"] not in ("RUNNING", "PENDING") else None

        return eventually(found, f"the end of {arn}:\n{self.tail()}", patience)

    def history(self, arn: str, page: int = 1000) -> list[Any]:
        events: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            answer = self.ask(
                "get_durable_execution_history",
                DurableExecutionArn=arn,
                MaxItems=page,
                IncludeExecutionData=True,
                **more,
            )
            events += answer["Events"]
            if not answer.get("NextMarker"):
                return events
            more = {"Marker": answer["NextMarker"]}

    def executions(self, function: str) -> list[str]:
        found: list[str] = []
        more: dict[str, Any] = {}
        while True:
            answer = self.ask("list_durable_executions_by_function", FunctionName=function, **more)
            found += [execution["DurableExecutionArn"] for execution in answer.get("DurableExecutions", [])]
            if not answer.get("NextMarker"):
                return found
            more = {"Marker": answer["NextMarker"]}


@contextlib.contextmanager
def service(directory: Path, *options: str, app: Path = APP, **environment: str) -> Iterator[Service]:
    made = Service(directory, *options, app=app, **environment)
    try:
        yield made
    finally:
        made.destroy()


class Background:
    """A thread whose failure is the test's."""

    def __init__(self, work: Callable[[Callable[[], bool]], None]) -> None:
        self._stopped = threading.Event()
        self._failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
        self._work = work
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._work(self._stopped.is_set)
        except BaseException as failure:
            self._failures.put(failure)

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        self._thread.join()
        if exc[0] is None:
            self.check()

    def check(self) -> None:
        if not self._failures.empty():
            raise self._failures.get()

    def join(self) -> None:
        self._thread.join()
        self.check()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
