"""Ids: unique whoever draws them, and of the documented form."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from uuid import UUID

import pytest

from durably.service.clock import RandomIds


def test_forms() -> None:
    ids = RandomIds()
    variants = set[str]()
    for _ in range(500):
        for made in (ids.execution_id(), ids.request_id()):
            assert UUID(made).version == 4
            assert str(UUID(made)) == made
            variants.add(made[19])
        assert re.fullmatch(r"[0-9a-f]{24}", ids.nonce())
    assert variants == set("89ab"), "both bits of it are random"


def test_no_id_is_given_out_twice() -> None:
    ids = RandomIds()
    drawn: list[list[str]] = [[] for _ in range(4)]

    def draw(into: list[str]) -> None:
        for _ in range(2000):
            into.append(ids.request_id())
            into.append(ids.nonce())

    threads = [threading.Thread(target=draw, args=(into,)) for into in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [made for into in drawn for made in into]
    assert len(set(everything)) == len(everything) == 16_000


_FORK = """
import os
from durably.service.clock import RandomIds
ids = RandomIds()
ids.request_id()
child = os.fork()
os.write(1, ids.request_id().encode() + b'\\n')
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_forked_process_draws_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, check=True)
    parent, child = done.stdout.split()
    assert parent != child
