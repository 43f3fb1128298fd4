"""The annotations of functions, found and resolved: once for each, whatever the function is wrapped in.

Operations ask on every call, so the answer for a function seen before costs a dictionary lookup. It is kept by
code object, not by function: a function defined inside a handler is a new object in every invocation. A callable of
ours that is made anew for each call brings along where the answer is kept: a list, its ``__durably_returns__``.
"""

from __future__ import annotations

import collections.abc
import typing
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, final


@final
class _Missing:
    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""There is no annotation, or it names something that cannot be found."""

_NONE_TYPE: Final = type(None)
_CACHE_LIMIT: Final = 4096
_AWAITABLES: Final = (
    collections.abc.Awaitable,
    collections.abc.Coroutine,
)

# Code object's id -> (the code object, kept so that its id stays its own; the annotation as written; globals; answer)
_resolved: dict[int, tuple[CodeType, Any, dict[str, Any], Any]] = {}


def return_annotation(func: Any) -> Any:
    """The type that calling ``func`` gives: for an async function what awaiting it gives, for a class the class.

    Looks through decorators (``__wrapped__``), ``functools.partial``, bound methods and callable objects. MISSING if
    there is no annotation, or if it cannot be resolved.
    """
    if type(func) is FunctionType and "__wrapped__" not in func.__dict__:
        return _returns(func)[0]
    kept: list[Any] | None = getattr(func, "__durably_returns__", None)
    if kept:
        return kept[0]
    func, _ = _unwrap(func)
    if isinstance(func, type):
        return func
    if type(func) is not FunctionType:
        return MISSING
    annotation, keep = _returns(func)
    if keep and kept is not None:
        kept.append(annotation)
    return annotation


def _returns(func: FunctionType) -> tuple[Any, bool]:
    """What ``func`` gives, and whether that is so for good."""
    try:
        written = func.__annotations__.get("return", MISSING)
    except Exception:  # Python 3.14 evaluates annotations only now, and a name may not exist
        return MISSING, False
    if written is MISSING:
        return MISSING, True
    code = func.__code__
    known = _resolved.get(id(code))
    if known is not None and known[1] is written and known[2] is func.__globals__:
        return known[3], True
    annotation, keep = _resolve(func, written)
    annotation = _awaited(annotation)
    if keep:
        if len(_resolved) >= _CACHE_LIMIT:
            _resolved.clear()
        _resolved[id(code)] = (code, written, func.__globals__, annotation)
    return annotation, keep


def parameter_annotation(func: Any, index: int) -> Any:
    """The type of the positional parameter number ``index`` of a call of ``func``, from 0; ``self`` does not count."""
    func, bound = _unwrap(func)
    if type(func) is not FunctionType or index + bound >= func.__code__.co_argcount:
        return MISSING
    name = func.__code__.co_varnames[index + bound]
    try:
        written = func.__annotations__.get(name, MISSING)
    except Exception:  # see above
        return MISSING
    return MISSING if written is MISSING else _resolve(func, written)[0]


def _unwrap(func: Any) -> tuple[Any, int]:
    """The function or class at the bottom (None if there is none), and how many of its parameters are already given."""
    given = 0
    for _ in range(100):  # a decorator that wraps itself must not hang us
        wrapped = getattr(func, "__wrapped__", None)
        if wrapped is not None:
            func = wrapped
        elif type(func) is FunctionType or isinstance(func, type):
            return func, given
        elif isinstance(func, MethodType):
            func, given = func.__func__, given + 1
        elif hasattr(func, "func") and hasattr(func, "keywords"):  # functools.partial, without importing it
            func, given = func.func, given + len(func.args)
        else:
            func, given = _call_of(func), given + 1
            if func is None:
                break
    return None, 0


def _call_of(instance: Any) -> Any:
    call = getattr(type(instance), "__call__", None)  # noqa: B004 - the function itself is wanted
    return call if type(call) is FunctionType or hasattr(call, "__wrapped__") else None


class _OneHint:
    def __init__(self, annotation: Any) -> None:
        self.__annotations__ = {"hint": annotation}


def _resolve(func: FunctionType, written: Any) -> tuple[Any, bool]:
    """The type, and whether it is the same for every function with this code."""
    if written is None:
        return _NONE_TYPE, True
    if type(written) is type:
        return written, True
    try:
        return typing.get_type_hints(_OneHint(written), func.__globals__, {}, include_extras=True)["hint"], True
    except Exception:
        pass  # perhaps it names something of an enclosing function
    cells: dict[str, Any] = {}
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            pass  # not assigned yet
    try:
        return typing.get_type_hints(_OneHint(written), func.__globals__, cells, include_extras=True)["hint"], False
    except Exception:
        return MISSING, False


def _awaited(annotation: Any) -> Any:
    if typing.get_origin(annotation) in _AWAITABLES:
        return typing.get_args(annotation)[-1]
    return annotation
