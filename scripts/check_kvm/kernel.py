# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's files: the one with KVM in it, the vendors' modules, vmlinux; found and read."""

import contextlib
import os
import re
import tempfile

from . import image
from .btf import Btf
from .calls import CallGraph
from .elf import STT_FUNC, Elf
from .image import BTF_MAGIC, BadInput

VENDORS = ("kvm-amd", "kvm-intel")
SUFFIXES = ("", ".xz", ".zst", ".gz")
BANNER = re.compile(rb"Linux version (\S+)")


def vendors_beside(path):
    """Modules of processors' vendors in the folder of kvm.ko."""
    folder = os.path.dirname(path)
    for vendor in VENDORS:
        for suffix in SUFFIXES:
            candidate = os.path.join(folder, f"{vendor}.ko{suffix}")
            if os.path.exists(candidate):
                yield candidate
                break


def vmlinux_of(path):
    """The kernel that kvm.ko at ROOT/lib/modules/RELEASE/... is of, or None."""
    before, found, behind = os.path.abspath(path).rpartition("/lib/modules/")
    if not found:
        return None
    release = behind.split("/")[0]
    before = before.removesuffix("/usr")
    modules = os.path.join(before, "lib/modules", release)
    candidates = [os.path.join(before, "boot", f"vmlinuz-{release}"),
                  os.path.join(modules, "vmlinuz"),
                  os.path.join(before, "boot", f"vmlinux-{release}")]
    if os.uname().release == release and not before:
        candidates.append("/sys/kernel/btf/vmlinux")
    return next((c for c in candidates if os.path.exists(c)), None)


def label_of(path):
    """What a file is called in tables: kvm-amd for .../kvm-amd.ko.xz."""
    return os.path.basename(path).split(".ko")[0].replace("_", "-")


class Kernel:
    """What the checks look at.

    main: the file with KVM, kvm.ko or a vmlinux with symbols; graphs: {label: CallGraph} of
    it and of the vendors' modules; vmlinux: an Elf or None; btf: of KVM, kernel_btf: of the
    kernel, both None with @use_btf false.
    """

    def __init__(self, kvm, vmlinux, vendors, use_btf):
        self.builtin = kvm is None
        self.vmlinux = self.kernel_btf = self.btf = None
        self._read_kernel(vmlinux, use_btf)
        if self.builtin:
            if not self.vmlinux or not any(s.kind == STT_FUNC for s in self.vmlinux.symbols):
                raise BadInput(f"{vmlinux}: has no symbols: a module KVM.KO is needed")
            self.main, self.btf = self.vmlinux, self.kernel_btf
        else:
            self.main = Elf.load(kvm)
            if not self.main.symbols:
                raise BadInput(f"{kvm}: has no symbols")
            self._check_release(vmlinux)
            if use_btf:
                self.btf = self._btf_of(self.main, self.kernel_btf)
        with contextlib.ExitStack() as stack:
            files = [("vmlinux" if self.builtin else "kvm", self.main)]
            files += [(label_of(vendor), Elf.load(vendor)) for vendor in vendors]
            self.main_label = files[0][0]
            self.graphs = {label: CallGraph(elf, label, _on_disk(elf, stack))
                           for label, elf in files}

    @property
    def release(self):
        """The kernel's name for itself (uname -r); empty if its files do not tell."""
        release = (self.main.modinfo("vermagic") or "").split(" ")[0]
        section = self.main.section(".rodata")
        if not release and section:
            banner = BANNER.search(self.main.content(section))
            release = banner[1].decode(errors="replace") if banner else ""
        return release

    @property
    def version(self):
        """(major, minor, patch). BadInput."""
        match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", self.release)
        if not match:
            raise BadInput(f"{self.main.path}: does not say which kernel it is of")
        return tuple(int(number or 0) for number in match.groups())

    def has(self, name):
        """Whether KVM, or the kernel as far as its files are here, has such a function."""
        return bool(self.main.functions(name) or
                    (self.vmlinux and self.vmlinux.functions(name)) or
                    (self.kernel_btf and self.kernel_btf.prototypes(name)))

    @property
    def functions(self):
        """Names of all functions of KVM."""
        return {s.name for s in self.main.symbols if s.defined and s.kind == STT_FUNC}

    def place(self, name):
        """Where a function is, and whether it can be traced: "kvm, traced"; empty if it is
        nowhere, "kernel" if only the kernel's types have it."""
        for elf, label in ((self.main, self.main_label), (self.vmlinux, "vmlinux")):
            if elf and elf.functions(name):
                return label + (", traced" if elf.is_traced(elf.functions(name)[0]) else "")
        return "kernel" if self.kernel_btf and self.kernel_btf.prototypes(name) else ""

    def _read_kernel(self, path, use_btf):
        if path is None:
            if use_btf:
                raise BadInput("the kernel's vmlinuz or vmlinux is not found: name it with "
                               "--vmlinux (KVM's types build on the kernel's)")
            return
        data = image.read(path)
        if not data.startswith(BTF_MAGIC):
            self.vmlinux = Elf.parse(path, data)
            section = self.vmlinux.section(".BTF")
            data = self.vmlinux.content(section) if section else None
        if use_btf:
            if data is None:
                raise BadInput(f"{path}: has no BTF")
            self.kernel_btf = Btf(path, data)

    @staticmethod
    def _btf_of(elf, base):
        section = elf.section(".BTF")
        if not section:
            raise BadInput(f"{elf.path}: has no BTF: prototypes cannot be compared (--no-btf)")
        return Btf(elf.path, elf.content(section), base)

    def _check_release(self, path):
        """Types of one kernel's module are nonsense beside another's."""
        release = self.release
        if not self.vmlinux or not release:
            return
        section = self.vmlinux.section(".rodata")
        if section and release.encode() not in self.vmlinux.content(section):
            raise BadInput(f"{path}: is not the kernel of {self.main.path}, which is of {release}")


def _on_disk(elf, stack):
    """A path at which objdump finds the ELF file as it is without compression."""
    with open(elf.path, "rb") as file:
        if file.read(4) == elf.data[:4]:
            return elf.path
    copy = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".ko"))
    copy.write(elf.data)
    copy.flush()
    return copy.name
