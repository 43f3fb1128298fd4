"""A cold start pays for this package: what it must not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import durably.client

HEAVY = {
    "botocore",
    "boto3",
    "asyncio",
    "ssl",
    "logging",
    "http.client",
    "urllib.parse",
    "inspect",
    "concurrent.futures",
}


@pytest.mark.parametrize("name", ["LambdaClient", "LambdaApi"])
def test_a_client_is_ready_without_loading_what_is_heavy(name: str) -> None:
    program = (
        "import sys\n"
        "from durably.client import " + name + " as C\n"
        "C(region='us-east-1')\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_durably_alone_does_not_load_openssl() -> None:
    program = "import sys, durably; print(sorted({'_hashlib', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_contexts_do_not_load_what_only_values_need() -> None:
    program = (
        "import sys\n"
        "from durably import AsyncDurableContext, DurableContext, durable_execution, durable_step\n"
        "print(sorted({'msgspec', 'inspect', 'decimal', 'uuid'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_no_other() -> None:
    for name in durably.client.__all__:
        assert getattr(durably.client, name).__name__
    assert set(durably.client.__all__) <= set(dir(durably.client))
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = durably.client.Nonsense
