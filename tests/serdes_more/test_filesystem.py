"""Large values in files: whole, where they belong, and the same for every process."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably import (
    Duration,
    FileSystemPathEncoding,
    FileSystemSerDes,
    FileSystemSerDesConfig,
    FileSystemSerDesMode,
    JsonSerDes,
    PipelineSerDes,
    PreviewConfig,
    PreviewMode,
    RetryableSerDesError,
    SerDesContext,
    SerDesError,
    StepConfig,
    ValidationError,
    build_preview,
)
from durably.serdes import CompressSerDes, _files, codec_for
from engine.harness import Flavour, Killed

from .conftest import ARN, WHERE, run, world_of

OVERFLOW = FileSystemSerDesMode.OVERFLOW


@pytest.fixture(params=["directories opened", "by path"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files go; both ways of getting there."""
    monkeypatch.setattr(_files, "_OPENS_FOLDERS", request.param == "directories opened" and _files._OPENS_FOLDERS)
    return tmp_path / "base"


def files(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*") if not path.is_dir())


def reference(text: str) -> Path:
    return Path(json.loads(text)["file"])


@dataclass
class Order:
    id: int
    price: Decimal


# ---- there and back -----------------------------------------------------------------------------------------


def test_there_and_back(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    value = {"a": [1, 2.5, None, "ü"], "b": (Decimal("1.1"),)}
    text = serdes.serialize(value, WHERE)
    assert len(text) < 200
    (file,) = files(base)
    assert file == base / reference(text)
    assert file.relative_to(base).parts[:3] == ("shop", "order-7", "0123abcd")
    assert serdes.deserialize(text, WHERE) == value
    assert FileSystemSerDes[Any](str(base)).deserialize(text, SerDesContext()) == value


@given(st.text() | st.lists(st.text() | st.integers()) | st.dictionaries(st.text(), st.booleans()), st.integers(1, 100))
def test_every_value_comes_back(tmp_path_factory: pytest.TempPathFactory, value: Any, limit: int) -> None:
    config = FileSystemSerDesConfig(OVERFLOW, overflow_bytes=limit)
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path_factory.getbasetemp() / "hypothesis", config)
    text = serdes.serialize(value, WHERE)
    assert ("data" in json.loads(text)) == (len(json.dumps({"data": codec_for().encode(value)})) <= limit)
    assert serdes.deserialize(text, WHERE) == value


def test_small_values_stay_in_the_record(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base, FileSystemSerDesConfig(OVERFLOW))
    text = serdes.serialize("x" * 200_000, WHERE)
    assert json.loads(text).keys() == {"data"}
    assert not base.exists()
    large = serdes.serialize("x" * 300_000, WHERE)
    assert serdes.deserialize(text, WHERE) == "x" * 200_000
    assert serdes.deserialize(large, WHERE) == "x" * 300_000
    assert len(files(base)) == 1


def test_hashed_directories(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(
        base, FileSystemSerDesConfig(path_encoding=FileSystemPathEncoding.HASH)
    )
    text = serdes.serialize(1, WHERE)
    folder, file = reference(text).parts
    assert (len(folder), len(file)) == (64, 69)
    assert serdes.deserialize(text, WHERE) == 1


def test_it_keeps_to_the_type(base: Path) -> None:
    value = Order(1, Decimal("1.10"))
    for serdes in (
        FileSystemSerDes[Any](base),
        FileSystemSerDes[Any](base, FileSystemSerDesConfig(serdes=PipelineSerDes(CompressSerDes(0)))),
        PipelineSerDes[Any](CompressSerDes(0), FileSystemSerDes[Any](base)),
    ):
        bound = serdes.over(lambda: codec_for(Order))
        assert bound.deserialize(bound.serialize(value, WHERE), WHERE) == value
    assert len(files(base)) == 2, "the pipelines write the same text"
    plain: FileSystemSerDes[Any] = FileSystemSerDes(base, FileSystemSerDesConfig(serdes=JsonSerDes()))
    assert plain.over(lambda: codec_for(Order)) is plain
    assert plain.deserialize(plain.serialize((1,), WHERE), WHERE) == [1]


def test_what_is_written_twice_is_there_once(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    first = serdes.serialize("same", WHERE)
    (file,) = files(base)
    before = file.stat()
    assert serdes.serialize("same", SerDesContext("another", ARN)) == first
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    serdes.serialize("other", WHERE)
    assert len(files(base)) == 2


def test_another_process_reads_it(base: Path) -> None:
    text = FileSystemSerDes[Any](base).serialize({"n": 1}, WHERE)
    program = (
        "import sys; from durably import FileSystemSerDes, SerDesContext;"
        "print(FileSystemSerDes(sys.argv[1]).deserialize(sys.argv[2], SerDesContext()))"
    )
    done = subprocess.run([sys.executable, "-c", program, base, text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'n': 1}"


# ---- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda file: file.unlink(), "is gone"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "is damaged: it has 10 bytes and was written with 11"),
        (lambda file: file.write_bytes(file.read_bytes()[:-2] + b'X"'), "is damaged: it does not hold"),
        (lambda file: file.write_bytes(b""), "is damaged"),
        (lambda file: (file.unlink(), file.mkdir()), "no regular file|Is a directory"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "no regular file"),
        (lambda file: (file.unlink(), file.parent.rmdir()), "is gone"),
        (lambda file: (file.unlink(), file.parent.rmdir(), file.parent.write_text("")), "Not a directory"),
    ],
)
def test_damage_is_an_error_that_stays(base: Path, harm: Any, message: str) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    text = serdes.serialize("some text", WHERE)
    (file,) = files(base)
    harm(file)
    with pytest.raises(SerDesError, match=message) as info:
        serdes.deserialize(text, WHERE)
    assert str(base) in str(info.value)


def test_a_damaged_file_is_written_anew(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    text = serdes.serialize("some text", WHERE)
    (file,) = files(base)
    file.write_bytes(b"x" * file.stat().st_size)
    assert serdes.serialize("some text", WHERE) == text
    assert serdes.deserialize(text, WHERE) == "some text"


def test_a_filesystem_that_is_away_is_an_error_that_passes(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    text = serdes.serialize("some text", WHERE)
    base.rename(base.with_name("away"))
    with pytest.raises(RetryableSerDesError, match="is the filesystem mounted"):
        serdes.deserialize(text, WHERE)
    base.with_name("away").rename(base)
    assert serdes.deserialize(text, WHERE) == "some text"


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ETIMEDOUT])
def test_what_may_pass_has_the_invocation_tried_again(base: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    text = serdes.serialize("there", WHERE)

    def failing(*args: Any, **options: Any) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(RetryableSerDesError, match=os.strerror(code)):
            serdes.serialize("not there", WHERE)
    assert len(files(base)) == 1, "the temporary file is taken away"
    with monkeypatch.context() as patch:
        patch.setattr(_files._Folder, "open", failing)
        with pytest.raises(RetryableSerDesError, match=os.strerror(code)):
            serdes.deserialize(text, WHERE)


def test_a_base_that_is_a_file_is_an_error_that_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for base in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SerDesError, match="cannot be written"):
            FileSystemSerDes[Any](base).serialize(1, WHERE)


# ---- hostile ------------------------------------------------------------------------------------------------

HASH = "0" * 64


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../secret.json",
        "a/../../secret.json",
        f"../{HASH}.json",
        f"a/../{HASH}.json",
        f"./{HASH}.json",
        f"a//{HASH}.json",
        f"/a/{HASH}.json",
        f"a/b/c/d/{HASH}.json",
        f"{HASH}.json",
        f"a/{HASH}.json/",
        f"a/{HASH}.json\n",
        f"a\\..\\{HASH}.json",
        f"C:\\a/{HASH}.json",
        f"a\0/{HASH}.json",
        f"a/{HASH[:-1]}.json",
        f"a/{HASH}",
        f".tmp/{HASH}.json",
        f"-r/{HASH}.json",
        f"~root/{HASH}.json",
        f"{'a' * 256}/{HASH}.json",
        f"ａ/{HASH}.json",
        "",
    ],
)
@pytest.mark.parametrize("size", [{"bytes": 5}, {}])
def test_a_reference_of_another_form_opens_nothing(
    base: Path, monkeypatch: pytest.MonkeyPatch, path: str, size: dict[str, int]
) -> None:
    base.mkdir()
    (base.parent / "secret.json").write_text('"s3cret"')
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    monkeypatch.setattr(_files, "_folder", lambda *args, **options: pytest.fail(f"opened {args}"))
    with pytest.raises(SerDesError, match="did not write"):
        serdes.deserialize(json.dumps({"file": path, **size}), WHERE)


@pytest.mark.parametrize(
    "text", ["", "x", "1", "[]", "{}", '"a"', '{"data": 1}', '{"file": 1}', '{"file": ["a"]}', "{"]
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SerDesError, match=r"FileSystemSerDes.* cannot read"):
        FileSystemSerDes[Any](tmp_path).deserialize(text, WHERE)


NASTY = [
    "..",
    ".",
    "",
    "/",
    "/etc/passwd",
    "../../x",
    "a/b",
    "-rf",
    "~root",
    "a\0b",
    "ü" * 300,
    "\ud800",
    "CON",
    "a\nb",
    "%2e%2e",
]


@given(st.sampled_from(NASTY) | st.text(max_size=300), st.sampled_from(FileSystemPathEncoding))
def test_ids_of_any_form_stay_below_the_base(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoding: FileSystemPathEncoding
) -> None:
    root = tmp_path_factory.getbasetemp() / "ids"
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(root / "base", FileSystemSerDesConfig(path_encoding=encoding))
    where = SerDesContext(text, text)
    record = serdes.serialize(1, where)
    assert serdes.deserialize(record, where) == 1
    path = root / "base" / reference(record)
    assert path.resolve() == path
    assert path.parent.parent == root / "base"
    assert sorted(os.listdir(root)) == ["base"]


def test_the_value_has_no_say_in_the_path(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    value = {"file": "/etc/passwd", "bytes": 1, "data": "x"}
    assert serdes.deserialize(serdes.serialize(value, WHERE), WHERE) == value
    inline: FileSystemSerDes[Any] = FileSystemSerDes(base, FileSystemSerDesConfig(OVERFLOW))
    assert inline.deserialize(inline.serialize(value, WHERE), WHERE) == value


@pytest.mark.parametrize("what", ["file", "folder", "first folder"])
def test_links_are_not_followed(base: Path, what: str) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    text = serdes.serialize("value", WHERE)
    (file,) = files(base)
    place = {"file": file, "folder": file.parent, "first folder": base / "shop"}[what]
    outside = base.parent / "outside"
    place.rename(outside)
    place.symlink_to(outside)
    with pytest.raises(SerDesError, match="symbolic link"):
        serdes.deserialize(text, WHERE)
    if what == "file":
        serdes.serialize("value", WHERE)  # replaces the link, not what it leads to
        assert not file.is_symlink()
        assert serdes.deserialize(text, WHERE) == "value"
    else:
        before = files(outside)
        with pytest.raises(SerDesError, match="symbolic link"):
            serdes.serialize("new", WHERE)
        assert files(outside) == before


def test_the_base_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "base").symlink_to(tmp_path / "volume")
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path / "base")
    assert serdes.deserialize(serdes.serialize(1, WHERE), WHERE) == 1


# ---- crashes and crowds -------------------------------------------------------------------------------------


def test_a_write_that_is_cut_off_is_never_seen(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before the file has its name."""
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)

    def killed(*args: Any, **options: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        patch.setattr(os, "unlink", killed)  # nor can it clean up
        with pytest.raises(Killed):
            serdes.serialize("value", WHERE)
    (left,) = files(base)
    assert left.name.endswith(".tmp")
    text = serdes.serialize("value", WHERE)
    assert serdes.deserialize(text, WHERE) == "value"
    assert left.exists()


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def spy(*args: Any, name: str = name, real: Any = real, **options: Any) -> Any:
            done.append(name)
            return real(*args, **options)

        monkeypatch.setattr(os, name, spy)
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path)
    serdes.serialize("first", WHERE)
    done.clear()
    serdes.serialize("second", WHERE)
    assert done == ["fsync", "replace", "fsync"]  # the file, its name, the directory


def _write_many(base: str, start: Any) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)
    start.wait()
    for number in range(20):
        value = "v" * 50_000 + str(number)
        assert serdes.deserialize(serdes.serialize(value, WHERE), WHERE) == value


def test_writers_of_the_same_values_do_not_meet(base: Path) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def write() -> None:
        try:
            _write_many(str(base), barrier)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(files(base)) == 20


@pytest.mark.slow
def test_processes_that_write_the_same_values_do_not_meet(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    workers = [context.Process(target=_write_many, args=(str(tmp_path), start)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(files(tmp_path)) == 20


# ---- in executions ------------------------------------------------------------------------------------------


def test_payloads_larger_than_any_record(flavour: Flavour, tmp_path: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path, FileSystemSerDesConfig(OVERFLOW))
    rows = ["row " * 1000] * 2000  # 8 MB

    def handler(event: Any, ctx: Any) -> Any:
        found = yield ctx.step(flavour(lambda step: world.effect("read") or rows), name="rows")
        small = yield ctx.step(flavour(lambda step: [1]), name="small")
        yield ctx.wait(Duration.from_seconds(1))
        return [len(found), found == rows, small]

    world = world_of(flavour, handler, operation_serdes=serdes)
    world.run()
    assert world.value == [2000, True, [1]]
    assert world.invocations == 2
    assert world.effects == ["read"]
    assert len(world.named("rows")["StepDetails"]["Result"]) < 250
    assert world.named("small")["StepDetails"]["Result"] == '{"data": "[1]"}'
    assert len(files(tmp_path)) == 1


def test_a_map_of_large_results(flavour: Flavour, tmp_path: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path)

    def handler(event: Any, ctx: Any) -> Any:
        def one(ctx: Any, item: int) -> Any:
            return (yield ctx.step(flavour(lambda step: str(item) * 300_000), name=f"s{item}"))

        result = yield ctx.map([1, 2, 3], flavour(one), name="rows")
        yield ctx.wait(Duration.from_seconds(1))
        return [text[0] + str(len(text)) for text in result.get_results()]

    world = run(flavour, handler, operation_serdes=serdes)
    assert world.value == ["1300000", "2300000", "3300000"]
    assert len(files(tmp_path)) == 3, "step, branch and whole refer to the same files"
    assert not world.named("rows")["ContextDetails"].get("ReplayChildren")


def test_a_crash_between_file_and_record(flavour: Flavour, tmp_path: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path)

    def handler(event: Any, ctx: Any) -> Any:
        world.link.before = cut
        found = yield ctx.step(flavour(lambda step: f"attempt {world.invocations}"), config=StepConfig(serdes=serdes))
        yield ctx.wait(Duration.from_seconds(1))
        return found

    def cut(call: Any) -> Any:
        succeeded = any(update["Type"] == "STEP" and update["Action"] == "SUCCEED" for update in call.updates)
        return Killed() if succeeded and world.invocations == 1 else None

    world = world_of(flavour, handler)
    world.run()
    assert world.value == "attempt 2"
    assert len(files(tmp_path)) == 2, "nobody refers to the first one"


def test_a_filesystem_that_comes_back(flavour: Flavour, tmp_path: Path) -> None:
    base = tmp_path / "mount"
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(base)

    def handler(event: Any, ctx: Any) -> Any:
        found = yield ctx.step(flavour(lambda step: "kept"), config=StepConfig(serdes=serdes))
        if world.invocations == 1:
            base.rename(tmp_path / "away")
        yield ctx.wait(Duration.from_seconds(1))
        return found

    def between() -> None:
        if world.invocations == 3:
            (tmp_path / "away").rename(base)

    world = world_of(flavour, handler)
    world.between = between
    world.run()
    assert isinstance(world.outputs[1], RetryableSerDesError)
    assert world.value == "kept"


def test_a_file_that_is_gone_fails_the_execution(flavour: Flavour, tmp_path: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path)

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(flavour(lambda step: "kept"), config=StepConfig(serdes=serdes))
        for file in files(tmp_path):
            file.unlink()
        yield ctx.wait(Duration.from_seconds(1))

    world = run(flavour, handler)
    assert world.error["errorType"] == "durably.SerDesError"
    assert "is gone" in world.error["errorMessage"]


# ---- previews -----------------------------------------------------------------------------------------------


def test_a_preview_is_in_the_record(base: Path) -> None:
    config = PreviewConfig(PreviewMode.INCLUDE_ALL, mask=["email"])
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(
        base, FileSystemSerDesConfig(generate_preview=lambda value: build_preview(value, config))
    )
    text = serdes.serialize({"id": 7, "email": "ada@example.org"}, WHERE)
    assert json.loads(text)["preview"] == {"id": 7, "email": "***"}
    assert serdes.deserialize(text, WHERE)["email"] == "ada@example.org"
    assert "preview" not in json.loads(serdes.serialize("nothing to show", WHERE))


def test_a_preview_that_does_not_fit_is_left_out(base: Path) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(
        base, FileSystemSerDesConfig(generate_preview=lambda value: {"all": value})
    )
    text = serdes.serialize("x" * 300_000, WHERE)
    assert json.loads(text).keys() == {"file", "bytes"}
    assert len(serdes.deserialize(text, WHERE)) == 300_000


@pytest.mark.parametrize("preview", [1, "text", {"x": object()}, {"x": float("nan")}, {1j: 2}])
def test_a_preview_that_is_none_is_refused(base: Path, preview: Any) -> None:
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(
        base, FileSystemSerDesConfig(generate_preview=lambda value: preview)
    )
    with pytest.raises(SerDesError, match="generate_preview failed on a int"):
        serdes.serialize(1, WHERE)


# ---- configuration, and files of the official SDK -----------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FileSystemSerDes(""), "base_path is ''"),
        (lambda: FileSystemSerDes(None), "base_path is None"),
        (lambda: FileSystemSerDes("a\0b"), "base_path is"),
        (lambda: FileSystemSerDes(b"x"), "base_path is b'x'"),
        (lambda: FileSystemSerDes("x", OVERFLOW), "config is"),
        (lambda: FileSystemSerDesConfig("ALWAYS"), "storage_mode is 'ALWAYS'"),
        (lambda: FileSystemSerDesConfig(path_encoding="URI"), "path_encoding is 'URI'"),
        (lambda: FileSystemSerDesConfig(generate_preview={}), "generate_preview is {}"),
        (lambda: FileSystemSerDesConfig(serdes=JsonSerDes), "serdes is the class JsonSerDes"),
        (lambda: FileSystemSerDesConfig(OVERFLOW, overflow_bytes=0), "overflow_bytes is 0"),
        (lambda: FileSystemSerDesConfig(OVERFLOW, overflow_bytes=10**6), "overflow_bytes is 1000000"),
        (lambda: FileSystemSerDesConfig(OVERFLOW, overflow_bytes=1.5), "overflow_bytes is 1.5"),
        (lambda: FileSystemSerDesConfig(overflow_bytes=5), "needs storage_mode"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


def test_a_relative_base_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    serdes: FileSystemSerDes[Any] = FileSystemSerDes("payloads")
    monkeypatch.chdir("/")
    serdes.serialize(1, WHERE)
    assert len(files(tmp_path / "payloads")) == 1


@pytest.mark.parametrize("encoding", list(FileSystemPathEncoding))
def test_files_of_the_official_sdk_are_read(tmp_path: Path, encoding: FileSystemPathEncoding) -> None:
    official = pytest.importorskip("aws_durable_execution_sdk_python.filesystem_serdes")
    theirs = pytest.importorskip("aws_durable_execution_sdk_python.serdes")
    config = official.FileSystemSerDesConfig(path_encoding=official.FileSystemPathEncoding(encoding.value))
    value = {"a": (1, Decimal("1.5"))}
    text = official.FileSystemSerDes(str(tmp_path), config).serialize(value, theirs.SerDesContext("op-1", ARN))
    serdes: FileSystemSerDes[Any] = FileSystemSerDes(tmp_path, FileSystemSerDesConfig(path_encoding=encoding))
    assert serdes.deserialize(text, WHERE) == value
    for other in (SerDesContext("op-2", ARN), SerDesContext("op-1", ARN.replace("order-7", "order-8"))):
        with pytest.raises(SerDesError, match="did not write"):  # it names the file of another operation
            serdes.deserialize(text, other)


def test_the_users_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    FileSystemSerDes("~/payloads").serialize(1, WHERE)
    assert len(files(tmp_path / "payloads")) == 1
