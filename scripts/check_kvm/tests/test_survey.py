# SPDX-License-Identifier: GPL-2.0-only
"""Tables of kernels' functions, and what has changed between two."""

import pathlib
import re
import tempfile
import unittest

from .. import survey
from ..image import BadInput
from . import plant

TABLES = plant.TREE / "docs/kernels"


def table(name):
    """(release, Entries) of a table in the tree."""
    return survey.read(str(TABLES / f"{name}.txt"))


class Survey(unittest.TestCase):
    """What is written can be read, and a change does not get lost."""

    def setUp(self):
        self.kvm = plant.Kvm()
        self.addCleanup(self.kvm.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.table = pathlib.Path(folder.name) / "table"
        self.table.write_text(self.kvm.table("--survey").output)

    def changes(self):
        """What has changed since the table was written, without the last line."""
        answer = self.kvm.table("--since", self.table)
        lines = answer.output.splitlines()
        self.assertEqual(answer.status, 1 if len(lines) > 1 else 0)
        self.assertRegex(lines[-1], rf"^\d+ functions of \S+, {len(lines) - 1} changes since ")
        return [line.removeprefix("changed: ") for line in lines[:-1]]

    def test_nothing_has_changed(self):
        self.assertEqual(self.changes(), [])

    def test_table_in_the_tree_is_of_the_target(self):
        self.table = TABLES / "stock.txt"
        self.assertEqual(self.changes(), [])

    def test_function_is_gone_and_another_new(self):
        self.kvm.objcopy("--redefine-sym", "kvm_gmem_create=kvm_gmem_make")
        gone, new = self.changes()
        self.assertEqual(gone, "kvm_gmem_create: is gone; it was int (struct kvm *, "
                               "struct kvm_create_guest_memfd *) in kvm, traced")
        self.assertEqual(new, "kvm_gmem_make: is new: no types, called by kvm: kvm_vm_ioctl")

    def test_prototype(self):
        self.kvm.change_argument("kvm_flush_remote_tlbs_range", 2, "kvm_arch_gmem_prepare", 3)
        self.assertEqual(self.changes(), [
            "kvm_flush_remote_tlbs_range: was void (struct kvm *, gfn_t, u64), "
            "is void (struct kvm *, gfn_t, int)"])

    def test_callback(self):
        self.kvm.change_callback("kvm_gmem_populate_cb", 4, 1)
        change, = self.changes()
        self.assertRegex(change, "^kvm_gmem_populate_cb: was int .*, is int ")

    def test_function_cannot_be_traced(self):
        self.kvm.untrace("kvm_gmem_unbind")
        self.assertEqual(self.changes(), ["kvm_gmem_unbind: was kvm, traced, is kvm"])

    def test_call_is_inlined(self):
        self.kvm.drop_calls("__gfn_to_pfn_memslot", "kvm_faultin_pfn", 1)
        self.assertEqual(self.changes(), [
            "__gfn_to_pfn_memslot: no reference any more from kvm: kvm_faultin_pfn x2",
            "__gfn_to_pfn_memslot: a new reference from kvm: kvm_faultin_pfn"])

    def test_another_reads_user_memory(self):
        self.kvm.redirect_call("kvm_vcpu_ioctl", "hva_to_pfn")
        self.assertIn("hva_to_pfn: a new reference from kvm: kvm_vcpu_ioctl", self.changes())

    def test_no_table(self):
        for content in ("", "# 6.12\n", "kvm_gmem_create (kvm)\n    int (void)\n",
                        "# 6.12\nno line of it\n", "# 6.12\n    int (void)\n"):
            with self.subTest(content):
                self.table.write_text(content)
                answer = self.kvm.table("--since", self.table)
                self.assertEqual(answer.status, 2, answer.output)
                self.assertEqual(answer.output.count("\n"), 1, answer.output)


class History(unittest.TestCase):
    """The tables in the tree: what stable updates have done, and would be told of again."""

    def test_tables_are_read_as_they_were_written(self):
        tables = set(TABLES.glob("*.txt")) - {TABLES / "results.txt"}
        for path in tables:
            with self.subTest(path.name):
                _, entries = survey.read(str(path))
                lines = [line for entry in entries for line in entry.lines()]
                self.assertEqual(path.read_text().splitlines()[1:], lines)
                self.assertGreater(len(lines), 200)

    def test_bind_was_split(self):
        (_, before), (release, after) = table("stock"), table("trixie-6.12")
        self.assertGreaterEqual(tuple(map(int, release.split("+")[0].split("."))), (6, 12, 118))
        found = list(survey.changes(before, after))
        for change in (
                r"kvm_gmem_bind: is gone; it was int .* in kvm, traced",
                r"kvm_gmem_prepare_memory_region: is new: .* by kvm: __kvm_set_memory_region",
                r"kvm_gmem_commit_memory_region: is new: .* called by kvm: kvm_set_memslot",
                r"kvm_gmem_unbind: no reference any more from kvm: __kvm_set_memory_region"):
            self.assertTrue(any(re.match(change, line) for line in found), change)

    def test_offset_became_unsigned(self):
        (_, before), (_, after) = table("stock"), table("bookworm-6.12")
        self.assertIn("kvm_gmem_bind: was int (struct kvm *, struct kvm_memory_slot *, unsigned "
                      "int, loff_t), is int (struct kvm *, struct kvm_memory_slot *, unsigned int, "
                      "u64)", list(survey.changes(before, after)))

    def test_no_such_table(self):
        with self.assertRaises(BadInput):
            table("trixie-5.0")
