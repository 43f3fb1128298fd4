from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from durably.serdes import MISSING, parameter_annotation, return_annotation


@dataclass
class Order:
    id: int


def plain(event: Order, context: int = 0) -> list[Order]: ...  # type: ignore[empty-body]


async def coroutine(event: Order) -> Order | None: ...


def awaitable(event: Order) -> Awaitable[Order]: ...  # type: ignore[empty-body]


def makes_coroutine() -> Coroutine[Any, Any, list[Order]]: ...  # type: ignore[empty-body]


def nothing() -> None: ...


def silent(event, context): ...  # type: ignore[no-untyped-def]


def unresolvable(event: Nowhere) -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821


def annotated() -> Annotated[Order, "x"]: ...  # type: ignore[empty-body]


def wrap(func: Callable[..., Any]) -> Any:
    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


class Step:
    """Like the objects that decorators of ours make."""

    def __init__(self, func: Callable[..., Any]) -> None:
        functools.update_wrapper(self, func)

    def __call__(self, *args: Any) -> str: ...  # type: ignore[empty-body]


class Service:
    def method(self, event: Order) -> Order: ...  # type: ignore[empty-body]

    @classmethod
    def of_class(cls, event: Order) -> Order: ...  # type: ignore[empty-body]

    @staticmethod
    def static(event: Order) -> Order: ...  # type: ignore[empty-body]

    def __call__(self, event: Order) -> Order: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("func", "annotation"),
    [
        (plain, list[Order]),
        (coroutine, Order | None),
        (awaitable, Order),
        (makes_coroutine, list[Order]),
        (nothing, type(None)),
        (annotated, Annotated[Order, "x"]),
        (silent, MISSING),
        (unresolvable, MISSING),
        (lambda: 1, MISSING),
        (len, MISSING),
        (Order, Order),
        (functools.partial(plain, Order(1)), list[Order]),
        (functools.partial(functools.partial(coroutine), Order(1)), Order | None),
        (wrap(plain), list[Order]),
        (wrap(wrap(coroutine)), Order | None),
        (functools.partial(wrap(plain)), list[Order]),
        (Step(plain), list[Order]),
        (Step(silent), MISSING),
        (Service().method, Order),
        (Service.of_class, Order),
        (Service.static, Order),
        (Service(), Order),
        (wrap(Service().method), Order),
        (object(), MISSING),
        (None, MISSING),
    ],
)
def test_the_type_a_call_gives(func: Any, annotation: Any) -> None:
    for _ in range(2):  # found, and found again
        assert return_annotation(func) == annotation


@pytest.mark.parametrize(
    ("func", "index", "annotation"),
    [
        (plain, 0, Order),
        (plain, 1, int),
        (plain, 2, MISSING),
        (coroutine, 0, Order),
        (silent, 0, MISSING),
        (unresolvable, 0, MISSING),
        (nothing, 0, MISSING),
        (wrap(plain), 0, Order),
        (functools.partial(plain, Order(1)), 0, int),
        (Step(plain), 0, Order),
        (Service().method, 0, Order),
        (Service.of_class, 0, Order),
        (Service.static, 0, Order),
        (Service(), 0, Order),
        (wrap(Service().method), 0, Order),
        (functools.partial(Service().method), 0, Order),
        (len, 0, MISSING),
        (None, 0, MISSING),
    ],
)
def test_the_type_of_a_parameter(func: Any, index: int, annotation: Any) -> None:
    assert parameter_annotation(func, index) == annotation


def test_functions_made_anew_in_every_call_are_told_apart() -> None:
    def make(kind: type) -> Callable[[], Any]:
        def inner() -> kind:  # type: ignore[valid-type]
            return kind()

        return inner

    for kind in (int, str, int):
        assert return_annotation(make(kind)) is kind


def test_a_type_of_an_enclosing_function_that_nobody_uses_is_out_of_reach() -> None:
    @dataclass
    class Local:
        id: int

    def inner() -> Local: ...  # type: ignore[empty-body]

    assert return_annotation(inner) is MISSING


def test_annotations_as_objects_need_no_lookup() -> None:
    def inner() -> int: ...  # type: ignore[empty-body]

    inner.__annotations__ = {"return": list["Order"]}
    assert return_annotation(inner) == list[Order]
    inner.__annotations__ = {"return": dict[str, int]}
    assert return_annotation(inner) == dict[str, int]


def test_a_decorator_that_wraps_itself_does_not_hang() -> None:
    def odd() -> int: ...  # type: ignore[empty-body]

    odd.__wrapped__ = odd  # type: ignore[attr-defined]
    assert return_annotation(odd) is MISSING
    assert parameter_annotation(odd, 0) is MISSING


def test_missing_is_falsy_and_prints_its_name() -> None:
    assert not MISSING
    assert repr(MISSING) == "MISSING"
