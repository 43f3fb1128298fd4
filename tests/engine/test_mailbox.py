"""Answers reach their loop: all of them, once, woken as seldom as possible."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar
from typing import Any
from weakref import ref

import pytest

from durably.engine.mailbox import mailbox_of


class Loop(asyncio.SelectorEventLoop):
    woken = 0

    def call_soon_threadsafe(self, *args: Any, **options: Any) -> Any:
        self.woken += 1
        return super().call_soon_threadsafe(*args, **options)


@pytest.fixture
def loop() -> Any:
    loop = Loop()
    yield loop
    loop.close()


def test_one_ring_for_all_that_wait(loop: Loop) -> None:
    heard: list[int] = []
    mailbox = mailbox_of(loop)
    assert mailbox_of(loop) is mailbox
    for n in range(100):
        mailbox.post(heard.append, n)
    assert loop.woken == 1
    assert heard == [], "never within the call itself"
    loop.run_until_complete(asyncio.sleep(0))
    assert heard == list(range(100))
    mailbox.post(heard.append, 100)
    loop.run_until_complete(asyncio.sleep(0))
    assert heard[100:] == [100]
    assert loop.woken == 2


def test_many_threads(loop: Loop) -> None:
    heard: list[tuple[int, int]] = []
    mailbox = mailbox_of(loop)
    done = loop.create_future()

    def reply(letter: tuple[int, int]) -> None:
        heard.append(letter)
        if len(heard) == 20_000:
            done.set_result(None)

    def post(thread: int) -> None:
        for n in range(5000):
            mailbox.post(reply, (thread, n))

    threads = [threading.Thread(target=post, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    loop.run_until_complete(asyncio.wait_for(done, 60))
    for thread in threads:
        thread.join()
    for n in range(4):
        assert [number for thread, number in heard if thread == n] == list(range(5000))


def test_a_reply_that_raises_takes_no_other_along(loop: Loop) -> None:
    reported: list[Any] = []
    heard: list[int] = []
    loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    mailbox = mailbox_of(loop)

    def broken(answer: int) -> None:
        raise LookupError(answer)

    for n in range(3):
        mailbox.post(broken, n)
        mailbox.post(heard.append, n)
    loop.call_soon(loop.call_later, 0.01, loop.stop)
    loop.run_forever()
    assert [error.args for error in reported] == [(0,), (1,), (2,)]
    assert heard == [0, 1, 2]


def test_replies_see_nothing_of_the_context_that_posted(loop: Loop) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")
    token = variable.set("of the poster")
    seen: list[str] = []
    mailbox_of(loop).post(lambda _: seen.append(variable.get()), None)
    variable.reset(token)
    loop.run_until_complete(asyncio.sleep(0))
    assert seen == ["none"]


def test_a_loop_that_is_gone() -> None:
    loop = Loop()
    mailbox = mailbox_of(loop)
    loop.close()
    mailbox.post(pytest.fail, "told of on a closed loop")
    alive = ref(loop)
    del loop
    gc.collect()
    assert alive() is None, "kept alive by its mailbox"
    mailbox.post(pytest.fail, "told of on no loop")
