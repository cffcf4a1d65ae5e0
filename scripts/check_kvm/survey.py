# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel has of the functions that gmem.ko has to do with on any kernel, as a table to
keep (docs/kernels/), and what has changed between two."""

import os
from dataclasses import dataclass

from .image import BadInput
from .prototypes import make_function, read_list
from .sources import Source
from .tables import read_calls, read_readers

# A function of KVM with this in its name is guest_memfd's, listed or not.
OURS = "gmem"
# What else has the name of a function in its own: padding, static calls.
PARTS = ("__pfx_", "__SCT__", "__cfi_")
INDENT = "    "


@dataclass(frozen=True)
class Entry:
    """A function: where it is, and whether it is traced there; its types; its callers."""

    name: str
    place: str
    prototype: str
    callers: tuple

    def lines(self):
        """The entry as the table has it."""
        yield f"{self.name} ({self.place})"
        yield INDENT + self.prototype
        for caller in self.callers:
            yield INDENT + f"from {caller}"


def names(kernel, lists):
    """All functions of the lists, of whichever kernels they are, and KVM's own gmem ones."""
    hooked = Source(os.path.join(lists, "hooked.h"), None)
    called = Source(os.path.join(lists, "called.h"), None)
    found = {function.name for function in read_list(hooked, "HOOKED")}
    found |= {function.name for function in read_list(called, "SYMBOLS")}
    found |= {call.function for call in read_calls(os.path.join(lists, "callers.txt"))}
    found |= {row.function for row in read_readers(os.path.join(lists, "readers.txt"))}
    return found | {name for name in kernel.functions
                    if OURS in name and "." not in name and not name.startswith(PARTS)}


def survey(kernel, lists):
    """The Entries of a Kernel, by name; a function that it has nothing of has none."""
    found = [_entry(kernel, name) for name in sorted(names(kernel, lists))]
    hooked = Source(os.path.join(lists, "hooked.h"), None)
    for callback in dict.fromkeys(f.name for f in read_list(hooked, "CALLBACKS")):
        for prototype in kernel.btf.callback(callback) if kernel.btf else []:
            found.append(Entry(callback, "a type", _types(callback, prototype), ()))
    return [entry for entry in found if entry]


def _entry(kernel, name):
    callers = tuple(f"{label}: {owner}" + (f" x{count}" if count > 1 else "")
                    for label, graph in kernel.graphs.items()
                    for owner, count in sorted(graph.sites(name).items()))
    prototypes = []
    place = kernel.place(name)
    if place and kernel.btf:
        btf = kernel.btf if place != "kernel" and not kernel.builtin else kernel.kernel_btf
        prototypes = [_types(name, prototype) for prototype in btf.prototypes(name)]
    if not place and not callers:
        return None
    return Entry(name, place or "not a function of its own", " or ".join(prototypes) or "no types",
                 callers)


def _types(name, prototype):
    function = make_function(name, *prototype)
    return f"{function.result} ({', '.join(function.arguments) or 'void'})"


def write(kernel, entries):
    """Lines of the table."""
    yield f"# {kernel.release}. Written by scripts/kernels --write."
    for entry in entries:
        yield from entry.lines()


def read(path):
    """(the kernel's release, its Entries) of a table. BadInput."""
    try:
        with open(path, encoding="utf-8") as file:
            head, *lines = file.read().splitlines() or [""]
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    entries = []
    for number, line in enumerate(lines, 2):
        if not line.startswith(INDENT) and line.endswith(")"):
            name, _, place = line[:-1].partition(" (")
            entries.append([name, place, "", []])
        elif entries and line.startswith(INDENT + "from "):
            entries[-1][3].append(line.removeprefix(INDENT + "from "))
        elif entries and line.startswith(INDENT):
            entries[-1][2] = line.strip()
        else:
            raise BadInput(f"{path}:{number}: is no line of a table of functions")
    if not head.startswith("# ") or not entries:
        raise BadInput(f"{path}: is no table of functions")
    return (head.removeprefix("# ").split(" ")[0].rstrip("."),
            [Entry(name, place, types, tuple(callers)) for name, place, types, callers in entries])


def changes(old, new):
    """Lines that tell the differences of @new from @old."""
    before = {entry.name: entry for entry in old}
    after = {entry.name: entry for entry in new}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: is gone; it was {before[name].prototype} in {before[name].place}"
        elif name not in before:
            by = ", ".join(after[name].callers) or "nobody"
            yield f"{name}: is new: {after[name].prototype}, called by {by}"
        else:
            yield from _differences(before[name], after[name])


def _differences(before, after):
    name = before.name
    if before.place != after.place:
        yield f"{name}: was {before.place}, is {after.place}"
    if before.prototype != after.prototype:
        yield f"{name}: was {before.prototype}, is {after.prototype}"
    for caller in before.callers:
        if caller not in after.callers:
            yield f"{name}: no reference any more from {caller}"
    for caller in after.callers:
        if caller not in before.callers:
            yield f"{name}: a new reference from {caller}"
