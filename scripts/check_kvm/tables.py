# SPDX-License-Identifier: GPL-2.0-only
"""The tables of kapi/*.txt: calls that must be there, and calls that may be."""

from dataclasses import dataclass

from .image import BadInput


@dataclass(frozen=True)
class Call:
    """A call that must be there; one of the callers is looked for, the first that exists.

    @condition: a function that KVM has where the call must be there, or "!" and one that it
    has not; empty: always.
    """

    function: str
    callers: tuple
    optional: bool
    file: str
    count: int
    condition: str


@dataclass(frozen=True)
class Reader:
    """A call of a watched function that may be there; no caller: none may."""

    function: str
    caller: str
    file: str
    reason: str


def _rows(path, columns):
    """(line, condition, its columns) of each row."""
    condition = ""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@"):
            condition = line[1:].strip()
            continue
        row = line.split(None, columns - 1)
        if len(row) != columns:
            raise BadInput(f"{path}:{number}: has not {columns} columns")
        yield number, condition, row


def read_calls(path):
    """The rows of kapi/callers.txt. BadInput."""
    calls = []
    for number, condition, (function, callers, file, count) in _rows(path, 4):
        if not count.isdigit() or count == "0":
            raise BadInput(f"{path}:{number}: {count} is no number of calls")
        calls.append(Call(function, tuple(callers.rstrip("?").split("|")),
                          callers.endswith("?"), file, int(count), condition))
    return calls


def read_readers(path):
    """The rows of kapi/readers.txt. BadInput."""
    return [Reader(function, caller, file, reason)
            for _, _, (function, caller, file, reason) in _rows(path, 4)]
