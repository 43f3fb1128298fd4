"""examples/encrypted.py: nothing readable remains in the store."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet

from durably.client.in_process import InProcessClient
from durably.service.clock import ManualClock
from durably.service.kernel import Service
from durably.service.store.sqlite import SqliteStore
from durably.workers.in_process import InProcessWorker

EXAMPLE = Path(__file__).parents[2] / "examples/encrypted.py"
WORDS = [b"Ada", b"wrist", b"says the X-ray", b"invoice for"]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    def load(keys: str) -> ModuleType:
        monkeypatch.setenv("HOSPITAL_KEYS", keys)
        spec = importlib.util.spec_from_file_location("encrypted", EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "encrypted", module)
        spec.loader.exec_module(module)
        return module

    return load


def carry_out(path: Path, functions: dict[str, Any], name: str, payload: str) -> str:
    """The result of an execution that is kept in a file."""
    clock = ManualClock()
    service = Service(SqliteStore(path), clock=clock)
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service), clock=clock)
    service.attach(worker)
    service.start(thread=False)
    answers: list[Any] = []
    try:
        service.submit("Invoke", {"FunctionName": f"{name}:$LATEST", "Payload": payload}, answers.append)
        while not answers:
            if service.step(timeout=0) or service.in_flight:
                service.step(timeout=0.05)
            elif (due := service.next_timer_ms()) is not None:
                clock.advance_to(due)
    finally:
        worker.close()
        service.close()
    assert "FunctionError" not in answers[0], answers[0]["Payload"]
    return str(answers[0]["Payload"])


def stored(folder: Path) -> bytes:
    """All that SQLite wrote, its log included."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_nothing_readable_remains(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    example = load(Fernet.generate_key().decode())
    patient = example.Patient("Ada", "a broken wrist")
    functions = {"admit": example.admit, "bill": example.bill}
    result = carry_out(tmp_path / "store.db", functions, "admit", example.admit.input_codec.encode(patient))
    assert example.admit.output_codec.decode(result) == example.Stay(
        patient,
        [
            example.Finding("X-ray", "a broken wrist, says the X-ray"),
            example.Finding("blood count", "a broken wrist, says the blood count"),
        ],
        "invoice for Ada",
    )
    data = stored(tmp_path)
    assert b"examinations" in data, "names are kept as they are"
    assert not [word for word in WORDS if word in data]


def test_without_encryption_it_could_be_read(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """What the test above looks for is there to be found."""
    example = load(Fernet.generate_key().decode())
    source = EXAMPLE.read_text("utf-8").replace("SECRET)", "None)").replace("=SECRET,", "=None,")
    assert "=SECRET" not in source
    exec(compile(source, "plain.py", "exec"), example.__dict__)
    functions = {"admit": example.admit, "bill": example.bill}
    payload = json.dumps({"name": "Ada", "complaint": "a broken wrist"})
    assert json.loads(carry_out(tmp_path / "store.db", functions, "admit", payload))["invoice"] == "invoice for Ada"
    data = stored(tmp_path)
    assert [word for word in WORDS if word not in data] == []


def test_keys_are_changed(load: Callable[[str], ModuleType]) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    before = load(old)
    text = before.admit.input_codec.encode(before.Patient("Ada", "fever"))
    both = load(f"{new},{old}")
    assert both.admit.input_codec.decode(text) == both.Patient("Ada", "fever")
    text = both.admit.input_codec.encode(both.Patient("Ada", "fever"))
    after = load(new)
    assert after.admit.input_codec.decode(text) == after.Patient("Ada", "fever")
    with pytest.raises(after.SerDesError, match="none of HOSPITAL_KEYS"):
        before.admit.input_codec.decode(text)


def test_a_record_that_was_tampered_with_is_refused(load: Callable[[str], ModuleType]) -> None:
    example = load(Fernet.generate_key().decode())
    text = example.admit.input_codec.encode(example.Patient("Ada", "fever"))
    for place in (10, len(text) // 2, len(text) - 3):
        with pytest.raises(example.SerDesError, match="damaged"):
            example.admit.input_codec.decode(text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :])


def test_it_writes_inputs_and_reads_results(load: Callable[[str], ModuleType]) -> None:
    example = load(Fernet.generate_key().decode())

    def printed(argument: str) -> str:
        command = [sys.executable, str(EXAMPLE), argument]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    text = printed('{"name": "Ada", "complaint": "a broken wrist"}')
    assert "Ada" not in text
    patient = example.admit.input_codec.decode(text)
    assert patient == example.Patient("Ada", "a broken wrist")
    stay = example.Stay(patient, [], "invoice")
    assert printed(example.admit.output_codec.encode(stay)) == str(stay)
