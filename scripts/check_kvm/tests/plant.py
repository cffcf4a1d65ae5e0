# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's KVM to plant faults in, and the checker's answer to it."""

import contextlib
import io
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass

from .. import image
from ..btf import PAIR, Btf
from ..calls import BRANCH, _disassemble
from ..elf import RELA, SHF_EXECINSTR, SHT_RELA, SHT_SYMTAB, SYMBOL, Elf, Places
from ..kernel import vmlinux_of
from ..main import main

NOP5 = b"\x0f\x1f\x44\0\0"
TREE = pathlib.Path(__file__).resolve().parents[3]
# Files with lists, and the lists.
MACROS = (("hooked.h", "HOOKED"), ("hooked.h", "CALLBACKS"), ("called.h", "SYMBOLS"))
# What the target kernel has not, as it binds memslots in one step.
OTHER_BINDING = {"kvm_gmem_prepare_memory_region", "kvm_gmem_commit_memory_region"}


def stock_kvm():
    """kvm.ko of the target kernel, as scripts/check_kvm/tests/run names it."""
    return pathlib.Path(os.environ["CHECK_KVM_KO"])


def stock_release():
    """What its kernel is called."""
    return stock_kvm().parts[stock_kvm().parts.index("modules") + 1]


@dataclass(frozen=True)
class Answer:
    """What the checker said."""

    status: int
    output: str

    @property
    def errors(self):
        """The lines that are errors."""
        return [line for line in self.output.splitlines() if line.startswith("error: ")]

    @property
    def last(self):
        """The last line."""
        return self.output.splitlines()[-1]


def check(*arguments):
    """Runs the checker in this process: a traceback is a failure of the test."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # of the parser of arguments
            status = end.code
    return Answer(status, output.getvalue())


class Kvm:
    """Copies of kvm.ko and the vendors' modules, uncompressed, in a folder of their own."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.vmlinux = self.folder / "btf"
        kernel = Elf.load(vmlinux_of(str(stock_kvm())))
        self.vmlinux.write_bytes(kernel.content(kernel.section(".BTF")))
        for module in stock_kvm().parent.glob("kvm*.ko*"):
            name = module.name.split(".ko")[0] + ".ko"
            (self.folder / name).write_bytes(image.read(str(module)))

    def close(self):
        """Removes them."""
        self._folder.cleanup()

    @property
    def path(self):
        """kvm.ko's."""
        return self.folder / "kvm.ko"

    def check(self, *options):
        """The checker's answer, without the table."""
        return check("--vmlinux", self.vmlinux, "--quiet", *options, self.path)

    def table(self, *options):
        """The checker's answer with the table."""
        return check("--vmlinux", self.vmlinux, *options, self.path)

    def change_release(self, release):
        """Has kvm.ko be of another kernel; the name is as long as "6.12.95"."""
        data = self.path.read_bytes()
        start = data.index(b"vermagic=") + len(b"vermagic=")
        self.path.write_bytes(data[:start] + release.encode() + data[start + len(release):])

    def objcopy(self, *options, module="kvm"):
        """Changes a module by objcopy."""
        subprocess.run(["objcopy", *options, self.folder / f"{module}.ko"], check=True)

    @contextlib.contextmanager
    def editing(self, module="kvm"):
        """(Elf, bytes to change) of a module; written back afterwards."""
        path = self.folder / f"{module}.ko"
        elf = Elf.load(str(path))
        data = bytearray(elf.data)
        yield elf, data
        path.write_bytes(data)

    def drop_calls(self, function, caller, count=None, module="kvm"):
        """Makes no-operations of calls: what an inlined copy leaves behind."""
        done = 0
        with self.editing(module) as (elf, data):
            places = Places(elf)
            targets = {(s.section, s.value) for s in elf.functions(function)}
            for at, entry, owner, reference in _code_references(elf, places):
                named = reference.name == function or reference.target in targets
                if named and owner == caller and done != count:
                    RELA.pack_into(data, entry, reference.offset, 0, 0)
                    data[at - 1:at + 4] = NOP5
                    done += 1
            done += _drop_branches(elf, data, places, targets, caller) if not done else 0
        assert done and count in (None, done), f"{done} calls to {function} in {caller}"

    def redirect_call(self, caller, function, module="kvm"):
        """Has a call of another file's function in @caller go to @function instead."""
        with self.editing(module) as (elf, data):
            number = next(i for i, s in enumerate(elf.symbols) if s.name == function)
            places = Places(elf)
            for at, entry, owner, reference in _code_references(elf, places):
                if owner == caller and reference.name and data[at - 1] == 0xE8 and \
                        reference.name != "__fentry__":
                    RELA.pack_into(data, entry, reference.offset, number << 32 | 4, -4)
                    return
        raise AssertionError(f"no call in {caller}")

    def untrace(self, function):
        """Moves the function's entry of __mcount_loc behind its start."""
        with self.editing() as (elf, data):
            place, offset, info, addend = _trace_entry(elf, function)
            RELA.pack_into(data, place, offset, info, addend + 1)

    def drop_trace(self, function):
        """Leaves the function's entry of __mcount_loc empty, as linkers do: ftrace skips it."""
        with self.editing() as (elf, data):
            place, offset, _, _ = _trace_entry(elf, function)
            RELA.pack_into(data, place, offset, 0, 0)

    def change_argument(self, function, index, other, other_index):
        """Gives an argument, by BTF, the type that an argument of @other has; -1: the result."""
        with self.editing() as (elf, data):
            section = elf.section(".BTF")
            btf = self._btf(elf)
            place, _ = _argument(btf, btf._functions[function][0], index)
            _, number = _argument(btf, btf._functions[other][0], other_index)
            struct.pack_into("<I", data, section.offset + place, number)

    def grow_struct(self, name, bytes_more, field=None):
        """Makes a struct, by BTF, larger; a field of it comes as much later."""
        with self.editing() as (elf, data):
            start = elf.section(".BTF").offset
            btf = self._btf(elf)
            _, _, info, size, at = btf._type(btf._structs[name])
            struct.pack_into("<I", data, start + at - 4, size + bytes_more)
            for place in range(at, at + 12 * (info & 0xFFFF), 12):
                number, _, bits = struct.unpack_from("<III", btf._data, place)
                if btf._string(number) == field:
                    struct.pack_into("<I", data, start + place + 8, bits + 8 * bytes_more)

    def _btf(self, elf):
        base = Btf("vmlinux", self.vmlinux.read_bytes())
        return Btf("kvm", elf.content(elf.section(".BTF")), base)

    def change_callback(self, typedef, index, number):
        """Gives an argument of a typedef's function, by BTF, the type of that number."""
        with self.editing() as (elf, data):
            btf = self._btf(elf)
            pointer = btf._type(btf._typedefs[typedef])[3]
            place, _ = _parameter(btf, btf._type(pointer)[3], index)
            struct.pack_into("<I", data, elf.section(".BTF").offset + place, number)

    def symbol_type(self, name, kind):
        """Makes the symbol one of another kind."""
        with self.editing() as (elf, data):
            table = next(s for s in elf.sections if s.kind == SHT_SYMTAB)
            number = next(i for i, s in enumerate(elf.symbols) if s.name == name)
            at = table.offset + number * SYMBOL.size + 4
            data[at] = data[at] & 0xF0 | kind

    def link(self, target):
        """Links kvm.ko alone as a kernel with KVM built in would be."""
        subprocess.run(["ld", "--unresolved-symbols=ignore-all", "-z", "noexecstack",
                        "--noinhibit-exec", "--emit-relocs",
                        "--defsym=__start_mcount_loc=__start___mcount_loc",
                        "--defsym=__stop_mcount_loc=__stop___mcount_loc",
                        "-o", target, self.path], check=True, stderr=subprocess.DEVNULL)


def _trace_entry(elf, function):
    """(where it is in the file, and what it is) of the relocation of the one in __mcount_loc."""
    table = elf.section("__mcount_loc").index
    # Where there is an ENDBR, the call is behind it.
    start = {(s.section, s.value + i) for s in elf.functions(function) for i in (0, 4)}
    for rela in elf.sections:
        if rela.kind != SHT_RELA or rela.info != table:
            continue
        for at in range(rela.offset, rela.offset + rela.size, RELA.size):
            offset, info, addend = RELA.unpack_from(elf.data, at)
            symbol = elf.symbols[info >> 32]
            if (symbol.section, symbol.value + addend) in start:
                return at, offset, info, addend
    raise AssertionError(f"{function} is not traced")


def _code_references(elf, places):
    """(where it is in the file, where its relocation is, owner, Reference) of each in code."""
    for rela in elf.sections:
        if rela.kind != SHT_RELA or not elf.sections[rela.info].flags & SHF_EXECINSTR:
            continue
        for i in range(0, rela.size, RELA.size):
            offset, info, addend = RELA.unpack_from(elf.data, rela.offset + i)
            reference = elf._reference(rela.info, offset, info, addend)
            if reference:
                yield (elf.sections[rela.info].offset + offset, rela.offset + i,
                       places.owner(rela.info, offset), reference)


def _drop_branches(elf, data, places, targets, caller):
    """As drop_calls(), for those without relocations; how many."""
    done = 0
    text = elf.section(".text")
    listing = _disassemble(elf.path).split("Disassembly of section .text:", 1)[1]
    listing = listing.split("Disassembly of section", 1)[0]
    for match in BRANCH.finditer(listing):
        at, to = int(match[1], 16), int(match[2], 16)
        if (text.index, to) in targets and places.owner(text.index, at) == caller:
            data[text.offset + at:text.offset + at + 5] = NOP5
            done += 1
    return done


def _argument(btf, function, index):
    """(offset in the BTF, number of the type) of a function's argument, or of its result."""
    return _parameter(btf, btf._type(function)[3], index)


def _parameter(btf, proto, index):
    at = btf._type(proto)[4]
    if index < 0:
        return at - 4, btf._type(proto)[3]
    place = at + index * PAIR.size + 4
    return place, struct.unpack_from("<I", btf._data, place)[0]


def lists(folder):
    """A copy of the lists, to change."""
    for name in ("hooked.h", "called.h", "callers.txt", "readers.txt"):
        shutil.copy(TREE / "kapi" / name, folder)
    shutil.copytree(TREE / "kapi/compat", pathlib.Path(folder) / "compat", dirs_exist_ok=True)
    return pathlib.Path(folder)


def preprocessed(folder, source, macro, version):
    """Names of the functions of a list, in order, as the compiler's preprocessor has them."""
    major, minor, patch = version
    name = 1 if macro == "HOOKED" else 0
    with tempfile.TemporaryDirectory() as empty:
        for file in [folder / "hooked.h", folder / "called.h", *folder.glob("compat/*.h")]:
            for header in re.findall(r"^#include <(.*)>", file.read_text(), re.M):
                (pathlib.Path(empty) / header).parent.mkdir(parents=True, exist_ok=True)
                (pathlib.Path(empty) / header).touch()
        for header in re.findall(r'^#include "(\w+\.h)"', (folder / source).read_text(), re.M):
            (pathlib.Path(empty) / header).touch()
        code = (folder / source).read_text() + \
            f"\n#define X({'entry, ' * name}name, ...) @name@\n{macro}(X)\n"
        done = subprocess.run(
            ["gcc", "-E", "-P", "-nostdinc", "-I", folder, "-I", empty, "-x", "c",
             f"-DLINUX_VERSION_CODE={(major << 16) + (minor << 8) + min(patch, 255)}",
             "-DKERNEL_VERSION(a,b,c)=(((a) << 16) + ((b) << 8) + (c))", "-"],
            input=code, capture_output=True, text=True, check=True)
    return re.findall(r"@ ?(\w+) ?@", done.stdout)
