"""What type checkers infer of steps, callbacks and invokes, whatever kind of function is given. Checked, never run.

Programs that are wrong are in here as well: see contexts.py.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, assert_type

from durably import (
    AsyncCallback,
    AsyncDurableContext,
    Callback,
    CallbackConfig,
    CallbackId,
    DurableContext,
    InvokeConfig,
    JsonSerDes,
    OperationId,
    StepConfig,
    StepContext,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_step,
    durable_wait_for_callback,
)


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    order: str


def plain(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


async def coroutine(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


async def maybe(step: StepContext) -> Receipt | None:
    return None


def either(step: StepContext) -> int | asyncio.Future[int]:
    return 1


@durable_step
def charge(step: StepContext, order: str, *, items: list[int] | None = None) -> Receipt:
    return Receipt(order)


@durable_step
async def charge_async(step: StepContext, order: str) -> Receipt:
    return Receipt(order)


class Count:
    def __call__(self, step: StepContext) -> int:
        return 1


class CountAsync:
    async def __call__(self, step: StepContext) -> int:
        return 1


class Shop:
    def method(self, step: StepContext) -> bytes:
        return b""

    async def coroutine_method(self, step: StepContext) -> bytes:
        return b""

    @staticmethod
    def static(step: StepContext) -> int:
        return 1

    @classmethod
    def of_class(cls, step: StepContext) -> int:
        return 1

    @durable_step
    def charge(self, step: StepContext, order: str) -> Receipt:
        return Receipt(order)

    @durable_step
    async def charge_async(self, step: StepContext, order: str) -> Receipt:
        return Receipt(order)


# ---- steps -----------------------------------------------------------------------------------------------------


def sync_steps(ctx: DurableContext, shop: Shop, untyped: Any) -> Receipt:
    assert_type(ctx.step(lambda _: Receipt("a")), Receipt)
    assert_type(ctx.step(lambda step: [step.attempt], "name", StepConfig()), list[int])
    assert_type(ctx.step(config=StepConfig(), name="name", func=lambda step: plain(step, "a")), Receipt)
    assert_type(ctx.step(lambda _: None), None)
    assert_type(ctx.step(charge("a", items=[1]), "name"), Receipt)
    assert_type(ctx.step(partial(plain, order="a")), Receipt)
    assert_type(ctx.step(Count()), int)
    assert_type(ctx.step(shop.method), bytes)
    assert_type(ctx.step(Shop.static), int)
    assert_type(ctx.step(shop.of_class), int)
    assert_type(ctx.step(shop.charge("a")), Receipt)
    wider: Receipt | None = ctx.step(lambda step: plain(step, "a"))
    empty: list[int] = ctx.step(lambda _: [])
    assert wider or empty

    # result_type instead of what the function says
    assert_type(ctx.step(untyped, result_type=Receipt), Receipt)
    assert_type(ctx.step(lambda _: json.loads("{}"), result_type=Receipt), Receipt)
    assert_type(ctx.step(lambda _: json.loads("{}"), "name", result_type=list[Receipt]), list[Receipt])
    assert_type(ctx.step(lambda _: json.loads("{}"), result_type=Receipt | None), Receipt | None)
    ctx.step(charge("a"), result_type=5)  # type: ignore[call-overload]

    # a coroutine function: its coroutine is not what a Receipt is, and nobody awaits it
    ctx.step(charge_async("a"))  # type: ignore[unused-coroutine]
    ctx.step(lambda step: coroutine(step, "a"))  # type: ignore[unused-coroutine]
    receipt: Receipt = ctx.step(shop.charge_async("a"))  # type: ignore[assignment]
    assert receipt

    ctx.step(plain)  # type: ignore[arg-type]
    ctx.step(charge)  # type: ignore[arg-type]
    ctx.step(shop.charge)  # type: ignore[arg-type]
    ctx.step(charge("a"), 5)  # type: ignore[call-overload]
    ctx.step(charge("a"), None, CallbackConfig())  # type: ignore[call-overload]
    ctx.step(charge("a"), timeout=4)  # type: ignore[call-overload]
    ctx.step(lambda step: step.nope)  # type: ignore[attr-defined]
    charge("a", items=["b"])  # type: ignore[list-item]
    shop.charge(order=1)  # type: ignore[arg-type]
    shop.charge_async()  # type: ignore[call-arg]
    return ctx.step(charge_async("a"))  # type: ignore[return-value]


async def async_steps(ctx: AsyncDurableContext, shop: Shop, untyped: Any) -> Receipt:
    assert_type(await ctx.step(lambda _: Receipt("a")), Receipt)
    assert_type(await ctx.step(lambda step: coroutine(step, "a")), Receipt)
    assert_type(await ctx.step(lambda _: asyncio.sleep(1, "a"), "name", StepConfig()), str)
    assert_type(await ctx.step(config=StepConfig(), name="name", func=lambda step: coroutine(step, "a")), Receipt)
    assert_type(await ctx.step(lambda _: None), None)
    assert_type(await ctx.step(maybe), Receipt | None)
    assert_type(await ctx.step(either), int)
    assert_type(await ctx.step(charge("a", items=[1])), Receipt)
    assert_type(await ctx.step(charge_async("a"), "name"), Receipt)
    assert_type(await ctx.step(partial(plain, order="a")), Receipt)
    assert_type(await ctx.step(partial(coroutine, order="a")), Receipt)
    assert_type(await ctx.step(Count()), int)
    assert_type(await ctx.step(CountAsync()), int)
    assert_type(await ctx.step(shop.method), bytes)
    assert_type(await ctx.step(shop.coroutine_method), bytes)
    assert_type(await ctx.step(Shop.static), int)
    assert_type(await ctx.step(shop.charge("a")), Receipt)
    assert_type(await ctx.step(shop.charge_async("a")), Receipt)
    wider: Receipt | None = await ctx.step(lambda step: coroutine(step, "a"))
    empty: list[int] = await ctx.step(lambda _: [])
    assert wider or empty

    assert_type(await ctx.step(untyped, result_type=Receipt), Receipt)
    assert_type(await ctx.step(lambda _: json.loads("{}"), result_type=Receipt | None), Receipt | None)

    ctx.step(charge("a"))  # type: ignore[unused-coroutine]
    forgotten: Receipt = ctx.step(charge("a"))  # type: ignore[assignment]
    assert forgotten
    await ctx.step(coroutine)  # type: ignore[arg-type]
    await ctx.step(shop.charge_async)  # type: ignore[arg-type]
    await ctx.step(charge_async("a"), 5)  # type: ignore[call-overload]
    await ctx.step(lambda step: step.nope)  # type: ignore[attr-defined]
    return await ctx.step(maybe)  # type: ignore[arg-type]


# ---- callbacks ---------------------------------------------------------------------------------------------------


@durable_wait_for_callback
async def ask(callback_id: CallbackId, context: WaitForCallbackContext, who: str) -> None: ...


def sync_callbacks(ctx: DurableContext) -> None:
    assert_type(ctx.create_callback(), Callback[Any])
    assert_type(ctx.create_callback("name", CallbackConfig(), result_type=list[Order]), Callback[list[Order]])
    assert_type(ctx.create_callback(result_type=Order | None).result(), Order | None)
    assert_type(ctx.create_callback(result_type=Literal["yes", "no"]).result(), Literal["yes", "no"])
    assert_type(ctx.create_callback().operation_id, OperationId)
    assert_type(ctx.wait_for_callback(lambda id, context: print(id.upper(), context.attempt), result_type=bool), bool)
    config = WaitForCallbackConfig()
    assert_type(
        ctx.wait_for_callback(partial(print, "a"), "name", config, result_type=tuple[int, str]), tuple[int, str]
    )
    assert_type(ctx.wait_for_callback(print, result_type=Order | None), Order | None)
    ctx.create_callback(result_type=5)  # type: ignore[call-overload]
    ctx.wait_for_callback(lambda id: None)  # type: ignore[arg-type, misc]
    ctx.wait_for_callback(print, config=CallbackConfig())  # type: ignore[call-overload]
    ask(5)  # type: ignore[arg-type]


async def async_callbacks(ctx: AsyncDurableContext) -> None:
    assert_type(await ctx.create_callback(), AsyncCallback[Any])
    callback = await ctx.create_callback("name", CallbackConfig(), result_type=Order | None)
    assert_type(callback, AsyncCallback[Order | None])
    assert_type(await callback.result(), Order | None)
    assert_type(await ctx.wait_for_callback(ask("manager"), result_type=Order | None), Order | None)
    assert_type(await ctx.wait_for_callback(lambda id, context: print(id, context.attempt), result_type=bool), bool)


# ---- invokes -----------------------------------------------------------------------------------------------------


def sync_invokes(ctx: DurableContext) -> None:
    typed = InvokeConfig(serdes_result=JsonSerDes[Order]())
    untyped = InvokeConfig(tenant_id="tenant")
    assert_type(typed, InvokeConfig[Any, Order])
    assert_type(untyped, InvokeConfig[Any, Any])
    assert_type(ctx.invoke("ship", 1), Any)
    assert_type(ctx.invoke("ship", 1, "name", untyped), Any)
    assert_type(ctx.invoke("ship", 1, config=untyped), Any)
    assert_type(ctx.invoke("ship", 1, config=None), Any)
    assert_type(ctx.invoke("ship", 1, "name", typed), Order)
    assert_type(ctx.invoke("ship", 1, config=typed), Order)
    assert_type(ctx.invoke("ship", 1, config=InvokeConfig(serdes_result=JsonSerDes[Order]())), Order)
    assert_type(ctx.invoke("ship", 1, "name", untyped, result_type=list[Order]), list[Order])
    assert_type(ctx.invoke("ship", 1, result_type=Order | None), Order | None)
    ctx.invoke("ship", 1, result_type=5)  # type: ignore[call-overload]
    ctx.invoke(5, 1)  # type: ignore[call-overload]
    ctx.invoke("ship", 1, config=StepConfig())  # type: ignore[call-overload]


async def async_invokes(ctx: AsyncDurableContext) -> None:
    typed = InvokeConfig(serdes_result=JsonSerDes[Order]())
    assert_type(await ctx.invoke("ship", 1), Any)
    assert_type(await ctx.invoke("ship", 1, config=InvokeConfig(tenant_id="tenant")), Any)
    assert_type(await ctx.invoke("ship", 1, "name", typed), Order)
    assert_type(await ctx.invoke("ship", 1, config=typed), Order)
    assert_type(await ctx.invoke("ship", 1, result_type=Order | None), Order | None)
