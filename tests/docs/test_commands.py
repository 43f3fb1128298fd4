"""What README.md and docs/ say about the command line exists, docs/cli.md leaves nothing out, links lead somewhere.

Command lines are taken from indented blocks and from code spans, and parsed by the commands themselves, which are
not run. In a code span arguments may be missing (`durably invoke`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import pytest

from durably.cli.group import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)")
SHARED = {"--json", "--endpoint-url", "--aws", "--region", "-f", "--function"}


def texts() -> dict[Path, str]:
    """Each page without its fenced blocks."""
    return {path: FENCED.sub("", path.read_text()) for path in PAGES}


def command_lines() -> Iterator[Any]:
    for path, text in texts().items():
        found: list[tuple[bool, str]] = []
        for line in text.splitlines():
            if line.startswith("    ") and (start := re.search(r"(?:^ +|\| |: +)(durably [a-z].*)", line)):
                found.append((True, start[1].partition("      ")[0]))
        for span in SPAN.findall(re.sub(r"^    .*$", "", text, flags=re.MULTILINE)):
            line = " ".join(span.split())
            if line.startswith("durably ") and not line.startswith("durably COMMAND"):
                found.append((False, line))
        for number, (complete, line) in enumerate(found):
            yield pytest.param(line, complete, id=f"{path.name}-{number}")


def parse(command: click.Command, args: list[str], complete: bool) -> None:
    """Raises UsageError for what ``command`` would not take."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=command.name)
        if not args or args[0] in {*options_of(command), "-h", "--help"}:
            return
        _, found, rest = command.resolve_command(context, args)
        assert found is not None
        parse(found, rest, complete)
        return
    try:
        command.make_context(command.name, args)
    except click.MissingParameter:
        if complete:
            raise


@pytest.mark.parametrize(("line", "complete"), list(command_lines()))
def test_command_line_exists(line: str, complete: bool) -> None:
    parse(cli, shlex.split(line, comments=True)[1:], complete)


def test_a_wrong_line_is_seen() -> None:
    for line in ("dev app.py --prot 1", "dve app.py", "callback answer ID", "invoke", "follow a b"):
        with pytest.raises(click.UsageError):
            parse(cli, line.split(), True)


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for sub in command.list_commands(context):
        found = command.get_command(context, sub)
        assert found is not None
        yield from leaves(found, f"{name} {sub}")


def options_of(command: click.Command) -> set[str]:
    return {opt for param in command.params if isinstance(param, click.Option) for opt in param.opts}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", (ROOT / "docs/cli.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(section: str) -> set[str]:
    """The options in the first column of a section's tables."""
    rows = [row.split(" | ")[0] for row in section.splitlines() if row.startswith("| `-")]
    return {option for row in rows for option in OPTION.findall(row)}


@pytest.mark.parametrize(("name", "command"), [pytest.param(n, c, id=n) for n, c in leaves(cli, "durably")])
def test_section_names_the_options_of_the_command(name: str, command: click.Command) -> None:
    assert documented(sections()[name]) == options_of(command) - SHARED


def test_shared_options_are_documented() -> None:
    assert documented(sections()["Options that several commands take"]) == SHARED


@pytest.mark.parametrize(("name", "command"), [pytest.param(n, c, id=n) for n, c in leaves(cli, "durably")])
def test_shared_options_are_where_the_table_says(name: str, command: click.Command) -> None:
    expected = {"--json"}
    if name not in ("durably dev", "durably replay"):
        expected |= {"--endpoint-url", "--aws", "--region"}
    if name == "durably list" or any(param.name == "execution" for param in command.params):
        expected |= {"-f", "--function"}
    assert options_of(command) & SHARED == expected


# ---- links ------------------------------------------------------------------------------------------------


def slug(heading: str) -> str:
    """The anchor that Markdown renderers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links() -> Iterator[Any]:
    for path, text in texts().items():
        for target in LINK.findall(text):
            if "://" not in target:
                yield pytest.param(path, target, id=f"{path.name}-{target}")


@pytest.mark.parametrize(("path", "target"), list(links()))
def test_link_leads_somewhere(path: Path, target: str) -> None:
    place, _, anchor = target.partition("#")
    there = path.parent / unquote(place) if place else path
    assert there.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", FENCED.sub("", there.read_text()), flags=re.MULTILINE)
        assert anchor in [slug(heading) for heading in headings]
