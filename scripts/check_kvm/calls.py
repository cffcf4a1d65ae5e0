# SPDX-License-Identifier: GPL-2.0-only
"""The callers of a function, found by relocations, and by branches that need none."""

import re
import subprocess
from collections import Counter

from .elf import SHF_EXECINSTR, STT_FUNC, Places, base_name
from .image import BadInput

# "   61ee0:	jmp    5000 <foo+0x10>" of objdump -d --no-show-raw-insn.
BRANCH = re.compile(r"^ *([0-9a-f]+):\t(?:bnd |notrack )?(?:call|j[a-z]+)(?:,p[nt])? +([0-9a-f]+) ",
                    re.M)
DISASSEMBLY = re.compile(r"^Disassembly of section (.*):$", re.M)
# The longest branch: its bytes are where its relocation may be.
BRANCH_SIZE = 6


def _disassemble(path):
    command = ["objdump", "-d", "--no-show-raw-insn", "-w", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              errors="replace")
    except FileNotFoundError:
        raise BadInput("the program objdump (package binutils) is missing") from None
    if done.returncode != 0:
        raise BadInput(f"{path}: objdump fails: {done.stderr.strip()}")
    return done.stdout


class CallGraph:
    """All references of a file to functions, its own ones and those of others.

    @label: how the file is called in tables; @uncompressed: a path that objdump can read.
    """

    def __init__(self, elf, label, uncompressed):
        self.label = label
        self._elf = elf
        self._places = Places(elf)
        self._named, self._own = {}, {}
        relocated = {}
        for reference in elf.references:
            owner = self._places.owner(reference.section, reference.offset)
            relocated.setdefault(reference.section, set()).add(reference.offset)
            if reference.name:
                self._named.setdefault(reference.name, Counter())[owner] += 1
            else:
                self._own.setdefault(reference.target, Counter())[owner] += 1
        self._add_branches(uncompressed, relocated)
        self._functions = {}
        for symbol in elf.symbols:
            if symbol.defined and symbol.kind == STT_FUNC:
                self._functions.setdefault(base_name(symbol.name), []).append(symbol)
        # What can be called an owner.
        self.owners = {base_name(s.name) for s in elf.symbols if s.defined}

    def _add_branches(self, path, relocated):
        """Branches inside one section: the assembler has resolved them."""
        parts = DISASSEMBLY.split(_disassemble(path))
        for name, text in zip(parts[1::2], parts[2::2]):
            section = next((s for s in self._elf.sections
                            if s.name == name and s.flags & SHF_EXECINSTR), None)
            if not section:
                continue
            known = relocated.get(section.index, set())
            for match in BRANCH.finditer(text):
                at, to = int(match[1], 16) - section.addr, int(match[2], 16) - section.addr
                if any(at + i in known for i in range(1, BRANCH_SIZE)):
                    continue
                owner = self._places.owner(section.index, at)
                place = (section.index, to)
                if not 0 <= to < section.size:
                    place = self._elf.place(to + section.addr)
                self._own.setdefault(place, Counter())[owner] += 1

    def sites(self, name, copies=False):
        """The owners of references to the function: {owner: how often}. With @copies, also to
        the copies that GCC has made of it.

        The function's own references to itself are left out.
        """
        found = Counter(self._named.get(name, {}))
        for symbol in self._functions.get(name, []):
            if copies or symbol.name == name:
                found += self._own.get((symbol.section, symbol.value), Counter())
        found.pop(name, None)
        return found
