# SPDX-License-Identifier: GPL-2.0-only
"""The checks: each function of the lists has one Row, with what was found and the errors."""

from collections import Counter
from dataclasses import dataclass, field

from .elf import STT_FUNC, base_name
from .prototypes import make_function

HOOKED, CALLED, WATCHED, CALLBACK = "hooked", "called", "watched", "callback"


@dataclass
class Row:
    """A line of the table. Where a thing was not looked at, its column is "-"."""

    name: str
    role: str
    home: str = "-"
    traced: str = "-"
    prototype: str = "-"
    sites: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)
    lacks: list = field(default_factory=list)

    def fail(self, message):
        """Notes an error; its line begins with the function's name."""
        self.errors.append(f"{self.name}: {message}")

    def forgive(self, without):
        """The module does without this function: errors are why there is nothing of @without."""
        self.lacks += [f"no {without}: {error}" for error in self.errors]
        self.errors = []


class Checker:
    """The lists that the module is built from, checked against one Kernel."""

    def __init__(self, kernel, calls, readers, also=()):
        self._kernel, self._calls, self._readers = kernel, calls, readers
        # Prototypes that are as good as those of the lists.
        self._also = set(also)

    def hooked(self, function):
        """A function whose calls must land in us."""
        row = Row(function.name, HOOKED)
        elf, symbol = self._find(row)
        if symbol:
            self._check_traced(row, elf, symbol)
        elif not row.errors:
            row.traced = "at load"
        self._compare(row, function)
        self._check_callers(row, inside=elf is self._kernel.main)
        return row

    def called(self, function):
        """A function that we call."""
        row = Row(function.name, CALLED)
        self._find(row)
        self._compare(row, function)
        return row

    def callback(self, function):
        """A typedef for functions that KVM has us call."""
        row = Row(function.name, CALLBACK)
        btf = self._kernel.btf
        if btf is None:
            return row
        row.home = "types"
        self._judge(row, function, btf.callback(function.name))
        return row

    def watched(self, name):
        """A function that only the callers in the list of readers may call."""
        row = Row(name, WATCHED)
        allowed = {(r.caller, self._file(r.file)) for r in self._readers if r.function == name}
        for label, graph in self._kernel.graphs.items():
            row.sites[label] = graph.sites(name, copies=True)
            for owner, count in row.sites[label].items():
                if (owner, label) not in allowed and (owner, self._home_of(owner)) not in allowed:
                    row.fail(f"{owner} of {label} calls it ({count} times), which "
                             "kapi/readers.txt does not know")
        if self._kernel.main.functions(name):
            row.home = self._kernel.main_label
        return row

    def layout(self, row, name, wanted):
        """A struct that a function of ours fills."""
        btf = self._kernel.btf
        if btf is None or row.home == "-":
            return
        found = btf.layout(name)
        if found is None:
            row.fail(f"struct {name} has no BTF: it cannot be compared")
            return
        size, places = found
        places = {member: places.get(member) for member in wanted[1]}
        for member in (m for m in places if places[m] != wanted[1][m]):
            row.fail(f"expected {member} of struct {name} at byte {wanted[1][member]}, found "
                     + ("none" if places[member] is None else f"it at {places[member]:g}"))
        if size != wanted[0]:
            row.fail(f"expected struct {name} of {wanted[0]} bytes, found {size}")

    def _file(self, name):
        """Label of the file that a table means: all are in vmlinux if they are built in."""
        if name == "kvm" or (self._kernel.builtin and name not in self._kernel.graphs):
            return self._kernel.main_label
        return name

    def _home_of(self, owner):
        return next((label for label, graph in self._kernel.graphs.items()
                     if owner in graph.owners), None)

    def _find(self, row):
        """The file and the symbol of a function. (None, None): only the kernel's types say
        that it is there, or nothing does."""
        for elf, label in ((self._kernel.main, self._kernel.main_label),
                           (self._kernel.vmlinux, "vmlinux")):
            symbols = elf.functions(row.name) if elf else []
            if len(symbols) > 1:
                row.fail(f"there are {len(symbols)} functions of that name in {label}")
            if symbols:
                row.home = label
                self._check_copies(row, elf)
                return elf, symbols[0]
        if self._only_as_copy(row):
            return None, None
        btf = self._kernel.kernel_btf
        if btf and btf.prototypes(row.name):
            row.home = "kernel"
        elif not btf and not (self._kernel.vmlinux and self._kernel.vmlinux.symbols):
            row.home = "kernel?"
        else:
            row.fail("there is no such function, or it has been inlined everywhere")
        return None, None

    def _variants(self, elf, name):
        return sorted({s.name for s in elf.symbols
                       if s.defined and s.kind == STT_FUNC and s.name != name and
                       base_name(s.name) == name and not s.name.startswith(f"{name}.cold")})

    def _only_as_copy(self, row):
        variants = self._variants(self._kernel.main, row.name)
        if variants:
            row.fail(f"is only there as {', '.join(variants)}, with other arguments")
        return bool(variants)

    def _check_copies(self, row, elf):
        variants = self._variants(elf, row.name)
        if row.role == HOOKED and variants:
            row.fail(f"has a copy besides, {', '.join(variants)}, whose calls are not seen")

    def _check_traced(self, row, elf, symbol):
        if elf.is_traced(symbol):
            row.traced = "yes"
        else:
            row.traced = "no"
            row.fail("cannot be traced: no entry of __mcount_loc is at its start")

    def _compare(self, row, function):
        if self._kernel.btf is None or row.home == "-":
            return
        found = []
        if row.home == self._kernel.main_label:
            found = self._kernel.btf.prototypes(row.name)
        elif self._kernel.kernel_btf:
            found = self._kernel.kernel_btf.prototypes(row.name)
        self._judge(row, function, found)

    def _judge(self, row, function, found):
        found = {make_function(row.name, *prototype) for prototype in found}
        if found and found <= self._also:
            row.prototype = "as good as expected"
            return
        row.prototype = "as expected" if found == {function} else "differs"
        if not found:
            row.prototype = "unknown"
            row.fail(f"has no BTF: its prototype cannot be compared with {function}")
        for other in sorted(found - {function}, key=str):
            row.fail(f"expected {function}, found {other}")

    def _check_callers(self, row, inside):
        wanted = [call for call in self._calls
                  if call.function == row.name and self._applies(call.condition)]
        for label, graph in self._kernel.graphs.items():
            row.sites[label] = graph.sites(row.name)
        if inside and not wanted:
            row.fail("kapi/callers.txt has no caller of it")
        for call in wanted:
            graph = self._kernel.graphs.get(self._file(call.file))
            if graph and row.home != "-":
                self._check_call(row, call, graph)

    def _applies(self, condition):
        there = bool(self._kernel.main.functions(condition.removeprefix("!")))
        return not condition or there != condition.startswith("!")

    def _check_call(self, row, call, graph):
        caller = next((c for c in call.callers if c in graph.owners), None)
        if caller is None:
            # Vendors' parts of a kernel with KVM built in are there or not.
            if not call.optional and not (self._kernel.builtin and call.file != "kvm"):
                row.fail(f"{' or '.join(call.callers)}, which calls it, is not a function of "
                         f"{graph.label}: inlined or renamed, see kapi/callers.txt")
            return
        count = graph.sites(row.name).get(caller, 0)
        if count == 0:
            row.fail(f"{caller} of {graph.label} has no call to it: inlined there, or no "
                     "caller any more")
        elif count < call.count:
            row.fail(f"{caller} of {graph.label} has {count} calls to it, not {call.count}: "
                     "inlined there, or no caller any more")


def chosen(kernel, functions):
    """(the functions without those of alternatives that the kernel does not have, a Row with
    an error for each choice of which it has none, or more than one).

    An alternative is taken if it is there whole and nothing of the others is.
    """
    choices = {}
    for function in functions:
        if function.choice:
            names = choices.setdefault(function.choice.number, {})
            names.setdefault(function.choice.name, []).append(function.name)
    left_out, failed = set(), []
    for alternatives in choices.values():
        there = [[name for name in names if kernel.has(name)]
                 for names in alternatives.values()]
        names = list(alternatives.values())
        taken = next((of for of in names if of in there), [])
        left_out |= {name for of in names for name in of if of != taken}
        if sum(map(bool, there)) != 1 or not taken:
            failed.append(_no_choice(names, there))
            left_out |= set(taken)
    return [function for function in functions if function.name not in left_out], failed


def _no_choice(names, there):
    row = Row(names[0][0], HOOKED)
    ways = "; or ".join(" and ".join(of) for of in names)
    found = ", ".join(name for of in there for name in of) or "none of them"
    row.fail(f"KVM must have {ways}; and nothing of the other. It has {found}")
    return row


def unseen_files(kernel, calls, readers):
    """Files that the tables speak of and that were not looked at."""
    wanted = Counter(entry.file for entry in calls + readers)
    if kernel.builtin:
        return []
    return sorted(file for file in wanted if file not in kernel.graphs)
