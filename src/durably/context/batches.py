"""map and parallel, without the waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from durably._config_checks import check_result_type, takes
from durably.engine.operation import Op
from durably.engine.scope import CURRENT
from durably.exceptions import SerDesError, ValidationError
from durably.serdes import MISSING, SerDesContext, codec_by, codec_for, result_codec_for, return_annotation
from durably.serdes._base import excerpt
from durably.wire.ids import operation_id
from durably.wire.payloads import utf8_size

from .arguments import check_callable, check_config, check_name
from .base import ContextBase

if TYPE_CHECKING:
    from durably.config import MapConfig, ParallelConfig
    from durably.engine.batch import Branches
    from durably.serdes import Codec, SerDes

__all__ = ["BatchOperations", "MapFunction"]

C = TypeVar("C")
U = TypeVar("U")
T = TypeVar("T")
MapFunction = Callable[[C, U], T] | Callable[[C, U, int], T] | Callable[[C, U, int, Sequence[U]], T]


class BatchOperations(ContextBase):
    """What both contexts do to start a map or a parallel."""

    def _map(
        self, inputs: Sequence[Any], func: Callable[..., Any], name: str | None, config: MapConfig[Any] | None
    ) -> Any:
        from durably.config import MapConfig
        from durably.engine.batch import Branches
        from durably.engine.items import items_in_turn

        check_callable(func, "map", "the function to run for each item")
        config = MapConfig() if config is None else check_config(config, MapConfig, "map")
        items = _sequence(inputs, "map", "items")
        config.completion_config.validate_for_total(len(items))
        more = _more_arguments(func, items)
        annotation = _annotation(config, func)
        # A program may change its list meanwhile; what is mapped is what it was.
        given = items if isinstance(items, (tuple, range)) else list(items)

        namer = config.item_namer
        labels: Sequence[str | None] = [None] * len(given)
        if namer is not None:
            labels = [_label(namer(item, index), index) for index, item in enumerate(given)]

        def codec_of(op: Op) -> Callable[[int], Codec]:
            batched = config.item_batcher is not None
            return self._item_codecs(config.item_serdes or config.serdes, lambda index: annotation, op, batched)

        def one(index: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return func, more(given[index], index)

        if config.item_batcher is None:
            branches = Branches(len(given), lambda index: labels[index] or f"map-item-{index}", one, labels)
        else:
            cut = config.item_batcher.batches(given, _size_of)
            chunks = [range(first, first + len(chunk)) for first, chunk in cut]

            def several(number: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
                chunk = chunks[number]

                def body(context: BatchOperations) -> Any:
                    scope = CURRENT.get()
                    assert scope is not None

                    def call_item(item: Any, index: int) -> Any:
                        return func(context, *more(item, index))

                    first, last = chunk.start, chunk.stop
                    protocol = items_in_turn(
                        call_item, given[first:last], first, scope, codec_of(op), labels[first:last]
                    )
                    return context.run.drive(protocol)

                return body, ()

            branches = Branches(len(chunks), lambda number: f"map-batch-{number}", several, labels, chunks)
        op = self._op("CONTEXT", "Map", name or getattr(func, "_original_name", None))
        return self._batch(op, "MapIteration", "MapResult", branches, config, codec_of(op), lambda index: annotation)

    def _parallel(self, functions: Sequence[Any], name: str | None, config: ParallelConfig | None) -> Any:
        from durably.config import ParallelBranch, ParallelConfig
        from durably.engine.batch import Branches

        config = ParallelConfig() if config is None else check_config(config, ParallelConfig, "parallel")
        branches = _sequence(functions, "parallel", "functions")
        config.completion_config.validate_for_total(len(branches))
        functions_of: list[Callable[..., Any]] = []
        labels: list[str | None] = []
        for index, branch in enumerate(branches):
            func, label = (branch.func, branch.name) if isinstance(branch, ParallelBranch) else (branch, None)
            check_callable(func, "parallel", f"a function of a child context as number {index}", 1)
            functions_of.append(func)
            labels.append(None if label is None else check_name(label))
        op = self._op("CONTEXT", "Parallel", name)
        types = [_annotation(config, func) for func in functions_of].__getitem__
        codec_of = self._item_codecs(config.item_serdes or config.serdes, types, op, False)

        def name_of(index: int) -> str:
            return labels[index] or f"parallel-branch-{index}"

        plan = Branches(len(labels), name_of, lambda index: (functions_of[index], ()), labels)
        return self._batch(op, "ParallelBranch", "ParallelResult", plan, config, codec_of, types)

    def _batch(
        self,
        op: Op,
        sub_type: str,
        result_type: str,
        branches: Branches,
        config: MapConfig[Any] | ParallelConfig,
        codec_of: Callable[[int], Codec],
        annotation_of: Callable[[int], Any],
    ) -> Any:
        from durably.concurrency.codec import BatchCodec  # with msgspec, which no program should have to wait for
        from durably.engine.batch import Batch, batch

        if config.item_serdes is None and config.serdes is None:
            check_result_type(self._operation_serdes, config.result_type, "results", "operation_serdes")

        def branch_codec(index: int) -> Codec:
            return codec_of(index) if branches.chunks is None else BatchCodec(codec_of)

        codec: Codec
        texts: dict[int, str] | None = None
        if config.serdes is not None:
            plain = codec_of if config.item_serdes is not None else lambda index: result_codec_for(annotation_of(index))
            codec = codec_by(config.serdes, SerDesContext(op.id, op.run.arn), lambda: BatchCodec(plain, read_back=True))
        else:
            if config.item_serdes is None and self._operation_serdes is None and branches.chunks is None:
                texts = {}
            codec = BatchCodec(codec_of, texts=texts)
        plan = Batch(sub_type, result_type, branches, config, branch_codec, codec, self._child, texts)
        return self._drive(batch(op, plan), op)

    def _item_codecs(
        self, own: SerDes[Any] | None, annotation_of: Callable[[int], Any], op: Op, batched: bool
    ) -> Callable[[int], Codec]:
        """The codec of each item's result, by its index, by the config's ``own`` serdes or the context's.

        A serdes is told the id of the item's own operation, or one made up where several items share a branch: it may
        keep values elsewhere, by that id.
        """
        serdes = self._operation_serdes if own is None else own
        if serdes is None:
            return lambda index: result_codec_for(annotation_of(index))
        arn = op.run.arn

        def codec_of(index: int) -> Codec:
            item_id = f"{op.id}-item-{index}" if batched else operation_id(op.id, index)
            return codec_by(serdes, SerDesContext(item_id, arn), lambda: result_codec_for(annotation_of(index)))

        return codec_of


def _label(given: Any, index: int) -> str | None:
    try:
        return check_name(given)
    except ValidationError as error:
        raise ValidationError(f"item_namer's name for item {index}: {error}") from None


def _size_of(item: Any) -> int:
    """Bytes of an item as JSON, for an ItemBatcher."""
    try:
        return utf8_size(codec_for(MISSING).encode(item))
    except SerDesError as error:
        raise ValidationError(
            f"an ItemBatcher measures items as JSON, and {excerpt(item)}, of type {type(item).__name__}, has no such "
            "form: map over plain data, such as ids"
        ) from error


def _annotation(config: MapConfig[Any] | ParallelConfig, func: Callable[..., Any]) -> Any:
    return return_annotation(func) if config.result_type is None else config.result_type


def _sequence(given: Any, operation: str, what: str) -> Sequence[Any]:
    if isinstance(given, (list, tuple, range)):
        return given
    if isinstance(given, (str, bytes, dict)) or not hasattr(given, "__getitem__") or not hasattr(given, "__len__"):
        raise ValidationError(
            f"{operation}() takes a list of {what}, not {type(given).__name__}: its length and order must be the same "
            "on every replay. Make it a list, e.g. sorted(...) of a set"
        )
    return given  # type: ignore[no-any-return]  # anything with a length and an order


def _more_arguments(func: Callable[..., Any], items: Sequence[Any]) -> Callable[[Any, int], tuple[Any, ...]]:
    """What ``func`` gets behind its context: as many of (item, index, items) as it takes."""
    least, most = _positional(func)
    if least > 4 or most < 2:
        raise ValidationError(
            f"the function of a map takes (context, item), (context, item, index) or (context, item, index, items); "
            f"{func!r} takes {most if most < 2 else least} parameters"
        )
    if not any(takes(func, count) for count in (2, 3, 4)):
        raise ValidationError(f"{func!r} of a map needs a keyword argument: bind it, e.g. with functools.partial")
    if most > 4 or least == 4:
        return lambda item, index: (item, index, items)
    if least == 3:
        return lambda item, index: (item, index)
    return lambda item, index: (item,)


def _positional(func: Callable[..., Any]) -> tuple[int, float]:
    """How many positional arguments ``func`` must get, and how many it can."""
    plain = getattr(func, "__func__", func)
    code = getattr(plain, "__code__", None)
    if code is not None and not hasattr(plain, "__wrapped__"):
        count = code.co_argcount - (getattr(func, "__self__", None) is not None)
        least = count - len(getattr(plain, "__defaults__", None) or ())
        return least, float("inf") if code.co_flags & 0x04 else count
    import inspect

    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):  # written in C, with nothing to read
        return 0, float("inf")
    by_position = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    least = sum(one.default is one.empty for one in by_position)
    variadic = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    return least, float("inf") if variadic else len(by_position)
