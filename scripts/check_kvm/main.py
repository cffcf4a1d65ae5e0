# SPDX-License-Identifier: GPL-2.0-only
"""The command line of scripts/check-kvm."""

import argparse
import os
import sys

from . import report, survey
from .checks import Checker, chosen, unseen_files
from .image import BadInput
from .kernel import Kernel, vendors_beside, vmlinux_of
from .prototypes import read_layout, read_list
from .sources import Refused, Source
from .tables import read_calls, read_readers

DESCRIPTION = """\
Checks whether gmem.ko can be used with a kernel's KVM: that every function which gmem.ko
hooks or calls is there by itself, can be traced, and has the prototype that gmem.ko was
written for; that those calls of it which gmem.ko depends on are calls, and not copies of
its body; and that nothing else finds the host page behind a memslot's userspace_addr.
"""
EPILOG = """\
Status: 0 if there are no errors, 1 if there are, 2 if a file cannot be used. The lists are
kapi/hooked.h, kapi/called.h, kapi/callers.txt and kapi/readers.txt.
"""
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="check-kvm", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kvm", metavar="KVM.KO", nargs="?",
                        help="the module, as it is or compressed; none if KVM is built in")
    parser.add_argument("--vmlinux", metavar="FILE",
                        help="the kernel: vmlinuz, vmlinux, or its BTF alone; by default the "
                        "one whose /lib/modules KVM.KO is in")
    parser.add_argument("--vendor", metavar="KO", action="append",
                        help="kvm-amd.ko and kvm-intel.ko; by default those beside KVM.KO")
    parser.add_argument("--no-btf", action="store_true",
                        help="the kernel has no BTF: do not compare prototypes")
    parser.add_argument("--markdown", action="store_true", help="a table for documents")
    parser.add_argument("--quiet", action="store_true", help="only errors and the last line")
    parser.add_argument("--survey", action="store_true",
                        help="no check: a table of what there is, to keep")
    parser.add_argument("--since", metavar="TABLE",
                        help="no check: what has changed since that table; status 1 if anything "
                        "has")
    parser.add_argument("--lists", metavar="DIR", default=os.path.join(TREE, "kapi"),
                        help="folder of the lists")
    options = parser.parse_args(arguments)
    if not options.kvm and not options.vmlinux:
        parser.error("KVM.KO is missing, or --vmlinux with KVM built in")
    return options


def _check_exception(options, kernel, checker, functions):
    """Those that hand on an exception fill a copy of KVM's struct."""
    source = Source(os.path.join(options.lists, "compat/exception.h"), kernel.version)
    for row, function in functions:
        if "struct x86_exception *" in function.arguments:
            checker.layout(row, "x86_exception", read_layout(source, "EXCEPTION_FIELDS"))


def _ghcb_rows(checker, called):
    """What guests that know that they are SNP's need, and nothing else."""
    rows = []
    if called.macro("SYMBOLS_GHCB"):
        rows = [checker.called(function) for function in read_list(called, "SYMBOLS_GHCB")]
    for row in rows:
        row.forgive("guests that know that they are SNP's")
    return rows


def _rows(options, kernel):
    lists = options.lists
    calls = read_calls(os.path.join(lists, "callers.txt"))
    readers = read_readers(os.path.join(lists, "readers.txt"))
    hooked = Source(os.path.join(lists, "hooked.h"), kernel.version)
    called = Source(os.path.join(lists, "called.h"), kernel.version)
    checker = Checker(kernel, calls, readers, read_list(hooked, "HOOKED_ALSO"))
    functions, rows = chosen(kernel, read_list(hooked, "HOOKED"))
    checked = [checker.hooked(function) for function in functions]
    _check_exception(options, kernel, checker, zip(checked, functions))
    rows = checked + rows
    # Without one of these the module has no VMs of SNP's type, and says so at load.
    private = set()
    if hooked.macro("HOOKED_PRIVATE"):
        private = {function.name for function in read_list(hooked, "HOOKED_PRIVATE")}
    for row in rows:
        if row.name in private:
            row.forgive("VMs of SNP's type with platform=snp-model")
    rows += [checker.callback(function) for function in read_list(hooked, "CALLBACKS")]
    rows += [checker.called(function) for function in read_list(called, "SYMBOLS")]
    rows += _ghcb_rows(checker, called)
    rows += [checker.watched(name) for name in dict.fromkeys(r.function for r in readers)]
    return rows, unseen_files(kernel, calls, readers)


def _notes(options, rows, unseen):
    """What has not been checked."""
    yield from (f"note: {file} has not been looked at" for file in unseen)
    yield from (f"note: {lack}" for row in rows for lack in row.lacks)
    if options.no_btf:
        yield "note: prototypes have not been compared (--no-btf)"
    if any(row.home.startswith("kernel") for row in rows):
        yield ("note: kernel: known by its types only; whether it can be found and traced "
               "shows when gmem.ko is loaded")


def _survey(options, kernel):
    entries = survey.survey(kernel, options.lists)
    if options.survey:
        print("\n".join(survey.write(kernel, entries)))
        return 0
    release, before = survey.read(options.since)
    found = list(survey.changes(before, entries))
    for change in found:
        print(f"changed: {change}")
    print(f"{len(entries)} functions of {kernel.release}, {len(found)} changes since {release}")
    return 1 if found else 0


def _run(options):
    vmlinux = options.vmlinux or vmlinux_of(options.kvm)
    vendors = options.vendor
    if vendors is None:
        vendors = list(vendors_beside(options.kvm)) if options.kvm else []
    kernel = Kernel(options.kvm, vmlinux, vendors, not options.no_btf)
    if options.survey or options.since:
        return _survey(options, kernel)
    rows, unseen = _rows(options, kernel)
    if options.markdown:
        print("\n".join(report.markdown(rows)))
    elif not options.quiet:
        print("\n".join(report.table(rows)))
        for note in _notes(options, rows, unseen):
            print(note)
    errors = [error for row in rows for error in row.errors]
    for error in errors:
        print(f"error: {error}", file=sys.stderr if options.markdown else sys.stdout)
    print(report.summary(rows), file=sys.stderr if options.markdown else sys.stdout)
    return 1 if errors else 0


def main(arguments):
    """Runs the program; returns its status."""
    options = _parse(arguments)
    try:
        return _run(options)
    except Refused as refusal:
        print(f"error: {refusal}")
        return 1
    except BadInput as error:
        print(f"check-kvm: {error}", file=sys.stderr)
        return 2
