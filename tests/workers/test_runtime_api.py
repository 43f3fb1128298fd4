"""Functions in processes of their own: real processes, the real awslambdaric, the real Runtime API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durably.service.clock import ManualClock
from durably.service.ports import FunctionSpec
from durably.workers.runtime_api import LambdaWorkers, RuntimeFunction

from .conftest import Answer, alive, call, eventually, invocation, send

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a POSIX system")

FUNCTIONS = """
import json, logging, os, signal, subprocess, sys, threading, time

def echo(event, context): return event
def pid(event, context): return os.getpid()
def boom(event, context): raise LookupError("nothing there")
def leave(event, context): os._exit(event)
def sys_exit(event, context): sys.exit(7)
def kill(event, context): os.kill(os.getpid(), signal.SIGKILL)
def hang(event, context):
    print("about to hang")
    time.sleep(1000)
def not_json(event, context): return {1, 2}
def nan(event, context): return float("nan")
def raw(event, context): return b"\\xff"
def too_big(event, context): return "x" * 6_300_000
def environment(event, context): return dict(os.environ) | {"cwd": os.getcwd(), "path0": sys.path[0]}
def context(event, context):
    return {n: getattr(context, n) for n in (
        "aws_request_id", "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb",
        "log_group_name", "tenant_id")} | {
        "left": context.get_remaining_time_in_millis(), "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "custom": context.client_context and context.client_context.custom}
def talk(event, context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    logging.getLogger("mine").info("to the log\\nin two lines")
    print("unfinished", end="")
def flood(event, context):
    for n in range(20_000): print(f"line {n} " + "x" * 80)
def meet(event, context):
    print("here")
    while not os.path.exists(event): time.sleep(0.005)
    return os.getpid()
def late(event, context):
    threading.Timer(0.02, os._exit, (0,)).start()
    return "answered"
def family(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    print(json.dumps({"child": child.pid}))
    time.sleep(1000)
"""

Make = Callable[..., LambdaWorkers]


@pytest.fixture
def make(app: Callable[..., Path]) -> Iterator[Make]:
    made: list[LambdaWorkers] = []

    def workers(source: Any = FUNCTIONS, **options: Any) -> LambdaWorkers:
        functions = str(app(source)) if isinstance(source, str) else source
        made.append(LambdaWorkers(functions, **options))
        return made[-1]

    yield workers
    for each in made:
        each.close()


class Log:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str | None, int, str]] = []

    def __call__(self, function: str, request_id: str | None, when: int, message: str) -> None:
        self.entries.append((function, request_id, when, message))

    def messages(self, request_id: str) -> list[str]:
        return [message for _, request, _, message in self.entries if request == request_id]


def error_of(answer: Any) -> tuple[str | None, str]:
    error = answer.error or {}
    return error.get("ErrorType"), error.get("ErrorMessage", "")


# ---- answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["{}", "null", '{"a": [1, 2.5, "ä€", true]}'])
def test_returned(make: Make, payload: str) -> None:
    result = call(make(), "echo", payload)
    assert result.kind == "returned"
    assert json.loads(result.payload or "") == json.loads(payload)


def test_five_megabytes_both_ways(make: Make) -> None:
    payload = json.dumps("x" * 5_000_000)
    assert call(make(), "echo", payload).payload == payload


def test_one_process_serves_again_and_again(make: Make) -> None:
    workers = make()
    assert len({call(workers, "pid").payload for _ in range(20)}) == 1


def test_raised(make: Make) -> None:
    result = call(make(), "boom")
    assert (result.kind, *error_of(result)) == ("raised", "LookupError", "nothing there")
    assert "in boom" in (result.error or {}).get("StackTrace", [""])[0]


@pytest.mark.parametrize(
    ("function", "error_type", "told"),
    [
        ("not_json", "Runtime.MarshalError", "not JSON serializable"),
        ("nan", "Runtime.MarshalError", "not JSON"),
        ("raw", "Runtime.MarshalError", "not UTF-8"),
        ("too_big", "Function.ResponseSizeTooLarge", "6291556 bytes"),
    ],
)
def test_answers_that_cannot_be_taken(make: Make, function: str, error_type: str, told: str) -> None:
    workers = make()
    result = call(workers, function)
    assert (result.kind, error_of(result)[0]) == ("raised", error_type)
    assert told in error_of(result)[1]
    assert call(workers, "echo", "1").payload == "1"


# ---- processes that end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "payload", "reason"),
    [
        ("leave", "3", "Runtime exited with error: exit status 3"),
        ("leave", "0", "Runtime exited without providing a reason"),
        ("sys_exit", "0", "Runtime exited with error: exit status 7"),
        ("kill", "0", "Runtime exited with error: signal: killed"),
    ],
)
def test_crashed(make: Make, function: str, payload: str, reason: str) -> None:
    workers = make()
    busy = call(workers, "pid").payload
    result = call(workers, function, payload, request_id="r-9")
    assert (result.kind, *error_of(result)) == ("crashed", "Runtime.ExitError", f"RequestId: r-9 Error: {reason}")
    assert call(workers, function, payload).kind == "crashed"  # by a new process
    assert call(workers, "pid").payload == busy


def test_timed_out(make: Make) -> None:
    log = Log()
    workers = make(on_log=log)
    hanging = send(workers, "hang", timeout=1, request_id="r-8")
    assert call(workers, "echo", "1").payload == "1"
    result = hanging.get()
    told = "RequestId: r-8 Error: Task timed out after 1.00 seconds"
    assert (result.kind, *error_of(result)) == ("timed_out", "Sandbox.Timedout", told)
    assert result.log.splitlines() == log.messages("r-8") == ["about to hang", told]


def test_a_timeout_takes_the_functions_own_processes_too(make: Make) -> None:
    log = Log()
    workers = make(on_log=log)
    answer = send(workers, "family", timeout=1.5)
    eventually(lambda: any("child" in message for *_, message in log.entries), "it should start a process")
    child = json.loads(next(message for *_, message in log.entries if "child" in message))["child"]
    assert alive(child)
    assert answer.get().kind == "timed_out"
    eventually(lambda: not alive(child), "the grandchild lives on")


def test_a_process_that_ends_between_invocations(make: Make) -> None:
    workers = make()
    for _ in range(3):
        first = call(workers, "late")
        assert first.payload == '"answered"'
        eventually(lambda: not workers_of(workers, "late"), "it should have ended")


def workers_of(workers: LambdaWorkers, name: str) -> int:
    return workers._pools[name].size


# ---- processes that do not start -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error_type", "told"),
    [
        ("import not_there", "Runtime.ImportModuleError", "not_there"),
        ("def f(:", "Runtime.UserCodeSyntaxError", "Syntax error"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("x = 1", "Runtime.HandlerNotFound", "'f' missing"),
        ("import os; os._exit(4)", "Runtime.ExitError", "exit status 4"),
        ("import time; time.sleep(1000)", "Sandbox.Timedout", "Init timed out after 1.00 seconds"),
    ],
)
def test_unavailable(make: Make, app: Callable[..., Path], source: str, error_type: str, told: str) -> None:
    path = app(source, "broken.py")
    function = RuntimeFunction(FunctionSpec("f", durable=False), "broken.f", path.parent)
    workers = make([function], init_timeout=1.0 if "sleep" in source else 60.0)
    answers = [send(workers, "f") for _ in range(3)]
    for answer in answers:
        assert (answer.get().kind, error_of(answer.get())[0]) == ("unavailable", error_type)
        assert told in error_of(answer.get())[1]
    path.write_text("def f(event, context): return 1")
    workers._init_timeout = 60.0  # for a program that starts, if slowly
    workers.replace([function])
    assert call(workers, "f").payload == "1"


def test_a_broken_file_makes_no_storm_of_processes(make: Make, app: Callable[..., Path], tmp_path: Path) -> None:
    path = app("open('starts', 'a').write('x'); 1 / 0", "broken.py")
    workers = make([RuntimeFunction(FunctionSpec("f"), "broken.f", path.parent)])
    for _ in range(50):
        assert call(workers, "f").kind == "unavailable"
    assert len((tmp_path / "starts").read_text()) <= 3


@pytest.mark.parametrize("command", [["/no/such/program"], ["{handler}"]])
def test_a_command_that_does_not_exist(make: Make, tmp_path: Path, command: list[str]) -> None:
    workers = make([RuntimeFunction(FunctionSpec("f"), "no.handler", tmp_path, command)])
    result = call(workers, "f")
    assert (result.kind, error_of(result)[0]) == ("unavailable", "Runtime.InvalidEntrypoint")
    assert command[0].replace("{handler}", "no.handler") in error_of(result)[1]


def test_a_directory_that_does_not_exist(make: Make, tmp_path: Path) -> None:
    workers = make([RuntimeFunction(FunctionSpec("f"), "app.f", tmp_path / "gone")])
    result = call(workers, "f")
    assert (result.kind, error_of(result)[0]) == ("unavailable", "Runtime.InvalidEntrypoint")
    assert str(tmp_path / "gone") in error_of(result)[1]


# ---- what a function sees ------------------------------------------------------------------------------------


def test_the_context(make: Make) -> None:
    result = call(
        make(), "context", request_id="r-7", timeout=500, tenant_id="blue", trace_id="Root=1-2-3",
        client_context='{"custom": {"ä": 1}}',
    )  # fmt: skip
    seen = json.loads(result.payload or "")
    assert 400_000 < seen.pop("left") <= 500_000
    assert seen == {
        "aws_request_id": "r-7",
        "function_name": "context",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:context",
        "memory_limit_in_mb": "128",
        "log_group_name": "/aws/lambda/context",
        "tenant_id": "blue",
        "trace": "Root=1-2-3",
        "custom": {"ä": 1},
    }


def test_never_more_time_than_the_timeout_however_long_it_waited(make: Make, tmp_path: Path) -> None:
    """By the header, whose clock stands still here: a process's own clock would hide a millisecond too many."""
    clock = ManualClock()
    source = FUNCTIONS + (
        "def deadline(event, context):\n"
        "    while not os.path.exists(event): time.sleep(0.005)\n"
        "    return context._epoch_deadline_time_in_ms\n"
    )
    workers = make(source, clock=clock, concurrency=1)
    go = tmp_path / "go"
    first, queued = (
        send(workers, "deadline", json.dumps(str(go)), timeout=60, now_ms=clock.now_ms()) for _ in range(2)
    )
    begun = clock.now_ms() + 60_000
    go.touch()
    assert first.get().payload == str(begun)
    assert queued.get().payload == str(begun)
    late = send(workers, "deadline", json.dumps(str(tmp_path / "later")), timeout=60, now_ms=clock.now_ms())
    waiting = send(workers, "deadline", json.dumps(str(go)), timeout=60, now_ms=clock.now_ms())
    clock.advance(100_000)
    (tmp_path / "later").touch()
    late.get()
    assert waiting.get().payload == str(clock.now_ms() + 60_000)


def test_no_deadline(make: Make) -> None:
    result = call(make(), "context", timeout=None)
    assert json.loads(result.payload or "")["left"] > 86_400_000


def test_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("OF_THE_SERVICE", "1")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "stale")
    workers = make(endpoint_url="http://127.0.0.1:9", region="eu-west-1", environment={"SHARED": "2"})
    seen = json.loads(call(workers, "environment").payload or "")
    expected = {
        "OF_THE_SERVICE": "1",
        "SHARED": "2",
        "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_LAMBDA_FUNCTION_NAME": "environment",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/environment",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "_HANDLER": "app.environment",
        "cwd": str(tmp_path),
        "path0": str(tmp_path),
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert "_X_AMZN_TRACE_ID" not in seen
    assert "AWS_SESSION_TOKEN" not in seen


@pytest.mark.parametrize("source", ["environment", "file"])
def test_credentials_that_exist_are_kept(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if source == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    else:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = mine\n")
    seen = json.loads(call(make(), "environment").payload or "")
    assert seen.get("AWS_ACCESS_KEY_ID") == ("mine" if source == "environment" else None)


# ---- output --------------------------------------------------------------------------------------------------


def test_every_message_reaches_the_log_of_its_invocation(make: Make) -> None:
    log = Log()
    workers = make(on_log=log)
    for request_id in ("first", "second"):
        result = call(workers, "talk", request_id=request_id)
        *printed, record = sorted(log.messages(request_id), key=lambda message: message.startswith("{"))
        assert printed == ["to stdout", "to stderr", "unfinished"]
        told = json.loads(record)
        assert (told["message"], told["level"], told["requestId"]) == ("to the log\nin two lines", "INFO", request_id)
        assert sorted(result.log.splitlines()) == sorted(log.messages(request_id))
    assert {name for name, *_ in log.entries} == {"talk"}


def test_text_logs(make: Make) -> None:
    result = call(make(log_format="Text"), "boom")
    assert "[ERROR] LookupError: nothing there\nTraceback (most recent call last):" in result.log


def test_a_flood_is_bounded_and_whole_for_the_listener(make: Make) -> None:
    log = Log()
    result = call(make(on_log=log), "flood", request_id="f")
    assert len(log.messages("f")) == 20_000
    assert len(result.log) <= 64 * 1024
    assert result.log.splitlines()[-1].startswith("line 19999 ")


def test_a_listener_that_raises_does_no_harm(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    def bad(*_: Any) -> None:
        raise RuntimeError

    assert call(make(on_log=bad), "talk").kind == "returned"
    assert "listener" in caplog.text


# ---- many ----------------------------------------------------------------------------------------------------


def test_concurrency_is_bounded_and_nothing_is_lost(make: Make, tmp_path: Path) -> None:
    log = Log()
    workers = make(concurrency=3, on_log=log)
    here = lambda: sum(message == "here" for *_, message in log.entries)  # noqa: E731
    answers = [send(workers, "meet", json.dumps(str(tmp_path / "go"))) for _ in range(30)]
    eventually(lambda: here() == 3, "three should run")
    assert workers_of(workers, "meet") == 3
    (tmp_path / "go").touch()
    assert len({answer.get().payload for answer in answers}) == 3
    assert here() == 30


def test_many_callers_at_once(make: Make) -> None:
    workers = make(concurrency=2)
    answers: list[list[Answer]] = [[] for _ in range(8)]

    def caller(own: list[Answer]) -> None:
        own += [send(workers, "echo", str(n)) for n in range(50)]

    threads = [threading.Thread(target=caller, args=(own,)) for own in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in answers:
        assert [answer.get().payload for answer in own] == [str(n) for n in range(50)]


def test_idle_processes_make_room_for_other_functions(make: Make) -> None:
    workers = make(max_processes=2)
    for _ in range(2):
        for function in ("echo", "pid", "context"):
            assert call(workers, function).kind == "returned"
            assert sum(pool.size for pool in workers._all_pools()) <= 2


def test_idle_processes_are_ended(make: Make) -> None:
    workers = make(idle_seconds=0.05)
    pid = int(call(workers, "pid").payload or "0")
    eventually(lambda: not alive(pid), "it is still there")
    assert int(call(workers, "pid").payload or "0") != pid


# ---- new code, and the end -----------------------------------------------------------------------------------


def test_new_code(make: Make, app: Callable[..., Path], tmp_path: Path) -> None:
    old = "import os, time\ndef f(event, context):\n  open('started', 'w')\n"
    old += "  while not os.path.exists('go'): time.sleep(0.005)\n  return 'old'\ndef gone(event, context): ..."
    workers = make(old, concurrency=1)
    running, waiting = send(workers, "f"), send(workers, "f")
    call(workers, "gone")
    eventually((tmp_path / "started").exists, "the old code should run")
    path = app("def f(event, context): return 'the new code'")
    workers.replace(str(path))
    assert waiting.get().payload == '"the new code"'  # though the old process still runs
    assert not running.there
    (tmp_path / "go").touch()
    assert running.get().payload == '"old"'
    assert call(workers, "gone").kind == "unavailable"
    assert set(workers.functions()) == {"f"}
    eventually(lambda: not workers._leaving and workers_of(workers, "f") == 1, "old processes stay")


def test_close_leaves_nothing(make: Make) -> None:
    threads = set(threading.enumerate())
    descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    log = Log()
    workers = make(on_log=log)
    pid = int(call(workers, "pid").payload or "0")
    hanging, never = send(workers, "hang"), Answer()
    eventually(lambda: any(message == "about to hang" for *_, message in log.entries), "it should run")
    workers.close(60)
    workers.close()
    assert not alive(pid)
    assert not hanging.there
    assert set(threading.enumerate()) <= threads
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) <= descriptors
    workers.submit(invocation("pid"), never)
    assert never.get().kind == "unavailable"


def test_close_while_processes_start(make: Make) -> None:
    workers = make()
    for function in ("echo", "pid", "context"):
        send(workers, function)
    workers.close(60)
    assert not any(pool.size for pool in workers._all_pools())


def test_processes_die_with_a_service_that_is_killed(app: Callable[..., Path], tmp_path: Path) -> None:
    path = app(FUNCTIONS)
    program = textwrap.dedent(f"""
        import sys, threading
        sys.path.append({str(Path(__file__).parent)!r})
        from durably.workers.runtime_api import LambdaWorkers
        from conftest import call, send
        import time
        workers = LambdaWorkers({str(path)!r}, on_log=lambda *a: print(a[3], flush=True))
        print(call(workers, "pid").payload, flush=True)
        send(workers, "family")
        time.sleep(1000)
    """)
    service = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert service.stdout is not None
        idle = int(service.stdout.readline())
        child = json.loads(service.stdout.readline())["child"]
        busy = parent_of(child)
        assert alive(idle)
        assert alive(busy)
    finally:
        service.kill()
        service.wait()
        if service.stdout:
            service.stdout.close()
    eventually(lambda: not alive(idle) and not alive(busy), "orphans")
    os.kill(child, signal.SIGKILL)  # what the function itself had started outlives a service that is killed


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_where_there_are_no_process_descriptors(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    workers = make()
    assert call(workers, "echo", "1").payload == "1"
    assert call(workers, "leave", "3").kind == "crashed"
    assert call(workers, "hang", timeout=0.5).kind == "timed_out"


# ---- other runtime clients -----------------------------------------------------------------------------------

CLIENT = """
import http.client, json, os, socket, sys
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(api)
    connection.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer, text
def raw(request):
    with socket.create_connection(api.split(":")) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\\r\\n")[0].decode()
def chunks(text):
    yield text[:1]
    yield text[1:]
while True:
    answer, event = ask("GET", "invocation/next")
    invocation = "invocation/" + answer.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(event)
    if event == "fail":
        error = {"errorType": "Odd", "errorMessage": "no", "trace": ["somewhere"]}
        ask("POST", invocation + "/error", json.dumps(error))
    elif event == "fail badly":
        ask("POST", invocation + "/error", b"oh", **{"Lambda-Runtime-Function-Error-Type": "Odder"})
    elif event == "forget":
        pass
    elif event == "stream":
        ask("POST", invocation + "/response", chunks(b'"in pieces"'))
    elif event == "probe":
        seen = [ask("POST", "invocation/another/response", b"1"), ask("GET", "nonsense"), ask("PUT", "nonsense", b"")]
        told = [[a.status, json.loads(t)["errorType"]] for a, t in seen]
        told += [raw(b"no request\\r\\n\\r\\n"), raw(b"GET /other HTTP/1.0\\r\\n\\r\\n")]
        ask("POST", invocation + "/response", json.dumps(told))
    else:
        ask("POST", invocation + "/response", json.dumps([sys.argv[1:], event]))
"""


def test_any_languages_runtime_client(make: Make, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    function = RuntimeFunction(FunctionSpec("f", durable=False), "index.handler", tmp_path)
    workers = make([function], command=[sys.executable, "client.py", "--handler={handler}"], concurrency=1)
    assert json.loads(call(workers, "f", "1").payload or "") == [["--handler=index.handler"], 1]
    failed = call(workers, "f", '"fail"')
    assert failed.error == {"ErrorType": "Odd", "ErrorMessage": "no", "StackTrace": ["somewhere"]}
    assert error_of(call(workers, "f", '"fail badly"')) == ("Odder", "oh")
    assert error_of(call(workers, "f", '"forget"'))[0] == "Runtime.NoResponse"
    assert call(workers, "f", '"stream"').payload == '"in pieces"'
    told = [[400, "InvalidRequestID"], [404, "NotFound"], [404, "NotFound"]]
    told += ["HTTP/1.1 400 Bad Request", "HTTP/1.1 404 Not Found"]  # and the connection closed
    assert json.loads(call(workers, "f", '"probe"').payload or "") == told


def test_a_generic_command_dies_with_its_service_too(make: Make, tmp_path: Path) -> None:
    """It is replaced by exec, so what the kernel was asked for still holds."""
    (tmp_path / "client.py").write_text("import os\nopen('pid', 'w').write(str(os.getpid()))\n" + CLIENT)
    program = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        sys.path.append({str(Path(__file__).parent)!r})
        from durably.service.ports import FunctionSpec
        from durably.workers.runtime_api import LambdaWorkers, RuntimeFunction
        from conftest import call
        import os, signal
        function = RuntimeFunction(FunctionSpec("f"), "h", Path({str(tmp_path)!r}), [sys.executable, "client.py"])
        call(LambdaWorkers([function]), "f")
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not alive(pid), "an orphan")


# ---- arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"max_processes": 0}])
def test_bad_arguments(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        LambdaWorkers([], **options)  # type: ignore[arg-type]


def test_unknown_function(make: Make) -> None:
    result = call(make("def f(event, context): ..."), "g")
    assert (result.kind, error_of(result)[1]) == ("unavailable", "Function not found: g. Functions that exist: f.")
