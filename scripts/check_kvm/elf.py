# SPDX-License-Identifier: GPL-2.0-only
"""The parts of x86-64 ELF files that the checks need: sections, symbols, relocations."""

import bisect
import re
import struct
from dataclasses import dataclass, field

from . import image
from .image import BadInput

SHT_SYMTAB, SHT_RELA, SHT_NOBITS = 2, 4, 8
SHF_ALLOC, SHF_EXECINSTR = 2, 4
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
SHN_UNDEF, SHN_LORESERVE = 0, 0xFF00
ET_REL, EM_X86_64 = 1, 62

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELA = struct.Struct("<QQq")

# Bytes that the processor adds to the place of a relocation that is relative to the
# end of the instruction: R_X86_64_PC32 and R_X86_64_PLT32.
PC_RELATIVE = {2: 4, 4: 4}
# R_X86_64_64, R_X86_64_32, R_X86_64_32S.
ABSOLUTE = {1, 10, 11}
# The instruction that may be before the call of a traced function.
ENDBR64 = b"\xf3\x0f\x1e\xfa"


@dataclass(frozen=True)
class Section:
    """One section; the data is left in the file."""

    index: int
    name: str
    kind: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int


@dataclass(frozen=True)
class Symbol:
    """A symbol; its value is relative to its section, whatever the file is."""

    name: str
    kind: int
    section: int
    value: int
    size: int

    @property
    def defined(self):
        """Whether the symbol is of this file."""
        return SHN_UNDEF < self.section < SHN_LORESERVE


@dataclass(frozen=True)
class Reference:
    """A place that has the address of something: a name of another file's, or (section, offset)."""

    section: int
    offset: int
    name: str = ""
    target: tuple = ()


@dataclass
class Elf:
    """An ELF file, read as a whole."""

    path: str
    data: bytes
    relocatable: bool = False
    sections: list = field(default_factory=list)
    symbols: list = field(default_factory=list)
    # Every (section, offset) that ftrace can have call it, as __mcount_loc has them.
    traced: set = field(default_factory=set)
    # Every Reference of code and data, but for branches that need no relocation.
    references: list = field(default_factory=list)

    @classmethod
    def load(cls, path):
        """Reads the file, compressed or not. BadInput."""
        return cls.parse(path, image.read(path))

    @classmethod
    def parse(cls, path, data):
        """What @data says; @path is for messages. BadInput."""
        elf = cls(path, data)
        try:
            elf._parse()
            elf.traced = set(elf._traced())
            elf.references = list(elf._relocations() if elf.relocatable else elf._pointers())
        except (struct.error, IndexError, ValueError) as error:
            raise BadInput(f"{path}: is truncated or damaged ({error})") from None
        return elf

    def _parse(self):
        if not self.data.startswith(image.ELF_MAGIC):
            raise BadInput(f"{self.path}: is no ELF file")
        ident, kind, machine, *_ = HEADER.unpack_from(self.data)
        if ident[4:6] != b"\x02\x01" or machine != EM_X86_64:
            raise BadInput(f"{self.path}: is not of x86-64")
        self.relocatable = kind == ET_REL
        header = HEADER.unpack_from(self.data)
        table, entry, count, names = header[6], header[11], header[12], header[13]
        raw = [SECTION.unpack_from(self.data, table + i * entry) for i in range(count)]
        for _, kind, _, _, offset, size, *_ in raw:
            if kind != SHT_NOBITS and offset + size > len(self.data):
                raise ValueError("a section ends behind the file")
        strings = raw[names]
        for index, (name, kind, flags, addr, offset, size, link, info, _, _) in enumerate(raw):
            self.sections.append(Section(index, self._string(strings[4] + name), kind, flags,
                                         addr, offset, size, link, info))
        for section in self.sections:
            if section.kind == SHT_SYMTAB:
                self._parse_symbols(section)

    def _string(self, offset):
        return self.data[offset:self.data.index(b"\0", offset)].decode(errors="replace")

    def _parse_symbols(self, table):
        strings = self.sections[table.link].offset
        for name, info, _, index, value, size in SYMBOL.iter_unpack(self.content(table)):
            if not self.relocatable and SHN_UNDEF < index < len(self.sections):
                value -= self.sections[index].addr
            self.symbols.append(Symbol(self._string(strings + name), info & 15, index, value,
                                       size))

    def content(self, section):
        """The bytes of a section."""
        return self.data[section.offset:section.offset + section.size]

    def section(self, name):
        """The section of that name, or None."""
        return next((s for s in self.sections if s.name == name), None)

    def functions(self, name):
        """Every function of the file that is called so."""
        return [s for s in self.symbols if s.name == name and s.kind == STT_FUNC and s.defined]

    def bytes_at(self, section, offset, count):
        """Bytes of section number @section."""
        start = self.sections[section].offset + offset
        return self.data[start:start + count]

    def is_traced(self, symbol):
        """Whether the function can be traced: its entry of __mcount_loc is at its start."""
        start = symbol.value
        if self.bytes_at(symbol.section, start, len(ENDBR64)) == ENDBR64:
            start += len(ENDBR64)
        return (symbol.section, start) in self.traced

    def _relocations(self):
        for table in self.sections:
            if table.kind != SHT_RELA or not has_code_or_data(self.sections[table.info]):
                continue
            for offset, info, addend in RELA.iter_unpack(self.content(table)):
                reference = self._reference(table.info, offset, info, addend)
                if reference:
                    yield reference

    def _reference(self, section, offset, info, addend):
        kind, symbol = info & 0xFFFFFFFF, self.symbols[info >> 32]
        if kind in PC_RELATIVE:
            addend += PC_RELATIVE[kind]
        elif kind not in ABSOLUTE:
            return None
        if not symbol.defined:
            return Reference(section, offset, name=symbol.name)
        return Reference(section, offset, target=(symbol.section, symbol.value + addend))

    def _pointers(self):
        """A linked file has no relocations any more: words that are addresses of functions."""
        functions = {self.sections[s.section].addr + s.value: (s.section, s.value)
                     for s in self.symbols if s.defined and s.kind == STT_FUNC}
        for section in self.sections:
            if section.flags & SHF_EXECINSTR or not has_code_or_data(section):
                continue
            words = self.content(section)[:section.size & ~7]
            for at, (word,) in enumerate(struct.iter_unpack("<Q", words)):
                if word in functions:
                    yield Reference(section.index, at * 8, target=functions[word])

    def _traced(self):
        if not self.relocatable:
            bounds = {s.name: s for s in self.symbols
                      if s.name in ("__start_mcount_loc", "__stop_mcount_loc")}
            if len(bounds) == 2:
                first, last = (bounds[name] for name in sorted(bounds))
                words = self.bytes_at(first.section, first.value, last.value - first.value)
                yield from (self.place(addr) for addr, in struct.iter_unpack("<Q", words))
            return
        table = self.section("__mcount_loc")
        for rela in self.sections:
            if table and rela.kind == SHT_RELA and rela.info == table.index:
                for _, info, addend in RELA.iter_unpack(self.content(rela)):
                    symbol = self.symbols[info >> 32]
                    yield symbol.section, symbol.value + addend

    def place(self, addr):
        """The (section, offset) at an address of a linked file, or None."""
        for section in self.sections:
            if section.flags & SHF_ALLOC and 0 <= addr - section.addr < section.size:
                return section.index, addr - section.addr
        return None

    def modinfo(self, key):
        """A field of a module's description, or None."""
        section = self.section(".modinfo")
        for line in self.content(section).split(b"\0") if section else []:
            name, _, value = line.decode(errors="replace").partition("=")
            if name == key:
                return value
        return None


def has_code_or_data(section):
    """Whether what a section holds is run or read by the program, not by the loader."""
    if section.flags & SHF_EXECINSTR:
        return True
    return bool(section.flags & SHF_ALLOC and
                re.match(r"\.(ro)?data($|\.|_)|\.init\.data|\.ref\.data", section.name))


class Places:
    """Which function or object a place belongs to."""

    def __init__(self, elf):
        self._elf = elf
        self._starts, self._symbols = {}, {}
        found = {}
        for symbol in elf.symbols:
            if symbol.defined and symbol.kind in (STT_FUNC, STT_OBJECT) and symbol.size:
                found.setdefault(symbol.section, []).append(symbol)
        for section, symbols in found.items():
            symbols.sort(key=lambda s: s.value)
            self._symbols[section] = symbols
            self._starts[section] = [s.value for s in symbols]

    def owner(self, section, offset):
        """Name of the symbol around a place, without what GCC adds; else the section's."""
        at = bisect.bisect_right(self._starts.get(section, []), offset) - 1
        if at >= 0:
            symbol = self._symbols[section][at]
            if offset < symbol.value + symbol.size:
                return base_name(symbol.name)
        return self._elf.sections[section].name


def base_name(name):
    """The function in the source that GCC made a function of."""
    return re.sub(r"\.(cold|part|isra|constprop|lto_priv)\b.*", "", name)
