# SPDX-License-Identifier: GPL-2.0-only
"""Files that are none, or broken, have an error of one line and no traceback."""

import os
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

from ..elf import HEADER
from ..kernel import Kernel
from ..prototypes import canonical, read_list, split_arguments
from ..sources import Source
from . import plant


class Input(unittest.TestCase):
    """What cannot be used is refused with status 2."""

    @classmethod
    def setUpClass(cls):
        cls.kvm = plant.Kvm()
        cls.good = cls.kvm.path.read_bytes()

    @classmethod
    def tearDownClass(cls):
        cls.kvm.close()

    def setUp(self):
        self.kvm.path.write_bytes(self.good)

    def refused(self, pattern, answer=None):
        """The answer is one line that matches."""
        answer = answer or self.kvm.check()
        self.assertEqual(answer.status, 2, answer.output)
        self.assertRegex(answer.output, f"^check-kvm: .*{pattern}")
        self.assertEqual(answer.output.count("\n"), 1, answer.output)

    def test_no_such_file(self):
        self.kvm.path.unlink()
        self.refused("kvm.ko: No such file or directory")
        self.refused("No such file", plant.check("--vmlinux", "/nowhere", self.kvm.path))

    def test_no_elf_file(self):
        for content in (b"", b"text\n", b"\x7fEL"):
            with self.subTest(content):
                self.kvm.path.write_bytes(content)
                self.refused("is no ELF file")

    def test_truncated(self):
        # Behind the table of sections there may be a signature.
        table, entry, count = (HEADER.unpack_from(self.good)[i] for i in (6, 11, 12))
        end = table + entry * count
        for size in [*range(4, end, end // 23), end - 1]:
            with self.subTest(size=size):
                self.kvm.path.write_bytes(self.good[:size])
                self.refused("is truncated or damaged")

    def test_truncated_xz(self):
        subprocess.run(["xz", "-k", self.kvm.path], check=True)
        packed = self.kvm.path.with_suffix(".ko.xz")
        packed.write_bytes(packed.read_bytes()[:100000])
        self.refused("cannot be decompressed", plant.check("--vmlinux", self.kvm.vmlinux, packed))
        packed.unlink()

    def test_truncated_vmlinuz(self):
        vmlinuz = self.kvm.folder / "vmlinuz"
        image = pathlib.Path(plant.vmlinux_of(str(plant.stock_kvm()))).read_bytes()
        for size in (600, 50000, len(image) // 2):
            with self.subTest(size=size):
                vmlinuz.write_bytes(image[:size])
                self.refused("vmlinuz: ", plant.check("--vmlinux", vmlinuz, self.kvm.path))

    def test_other_architectures(self):
        for place, value, name in ((18, 183, "aarch64"), (4, 1, "32 bits"), (5, 2, "big-endian")):
            with self.subTest(name):
                data = bytearray(self.good)
                data[place] = value
                self.kvm.path.write_bytes(data)
                self.refused("is not of x86-64")

    def test_no_btf(self):
        self.kvm.objcopy("-R", ".BTF")
        self.refused("has no BTF: .*--no-btf")
        self.assertEqual(self.kvm.check("--no-btf").status, 0)

    def test_no_symbols(self):
        self.kvm.objcopy("--strip-all")
        self.refused("has no symbols")

    def test_damaged_btf(self):
        with self.kvm.editing() as (elf, data):
            at = elf.section(".BTF").offset
            data[at + 40:at + 400] = b"\xff" * 360
        self.refused("its BTF is damaged")

    def test_no_kernel(self):
        self.refused("vmlinux is not found", plant.check(self.kvm.path))

    def test_another_kernel(self):
        with self.kvm.editing() as (_, data):
            at = data.index(b"vermagic=") + len(b"vermagic=")
            data[at:at + 1] = b"9"
        kernel = plant.vmlinux_of(str(plant.stock_kvm()))
        self.refused("is not the kernel of", plant.check("--vmlinux", kernel, self.kvm.path))

    def test_no_arguments(self):
        self.assertEqual(plant.check().status, 2)

    def test_damage_makes_no_traceback(self):
        # What fails is this tree's doing, and fails again.
        seed = int(os.environ.get("GMEM_SEED", "1"))
        rng = random.Random(seed)
        for _ in range(40):
            data = bytearray(self.good)
            # Mostly in the tables, which are behind code and data.
            for _ in range(rng.choice((1, 10, 100))):
                low = rng.choice((0, len(data) // 3, len(data) - 6000))
                data[rng.randrange(low, len(data))] = rng.randrange(256)
            self.kvm.path.write_bytes(data)
            with self.subTest(seed=seed):
                self.assertIn(self.kvm.check().status, (0, 1, 2))


class Lists(unittest.TestCase):
    """The lists that the checker reads."""

    def setUp(self):
        self.kvm = plant.Kvm()
        self.addCleanup(self.kvm.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lists = plant.lists(folder.name)

    def change(self, name, pattern, replacement):
        """Changes a list; something must change."""
        path = self.lists / name
        text, count = re.subn(pattern, replacement, path.read_text(), flags=re.M)
        self.assertGreater(count, 0)
        path.write_text(text)

    def check(self):
        """The checker's answer with these lists."""
        return self.kvm.check("--lists", self.lists)

    def test_every_function_has_a_line(self):
        answer = self.kvm.table("--lists", self.lists)
        version = Kernel(str(self.kvm.path), str(self.kvm.vmlinux), [], False).version
        names = [name for source, macro in plant.MACROS
                 for name in plant.preprocessed(self.lists, source, macro, version)]
        self.assertGreater(len(names), 30)
        for name in set(names) - plant.OTHER_BINDING:
            self.assertRegex(answer.output, rf"(?m)^{name} ")

    def test_lists_are_what_the_compiler_makes_of_them(self):
        for version in ((6, 12, 95), (6, 12, 300), (7, 2, 12), (7, 3, 4)):
            for source, macro in plant.MACROS:
                with self.subTest(source=source, macro=macro, version=version):
                    read = read_list(Source(str(self.lists / source), version), macro)
                    self.assertEqual([function.name for function in read],
                                     plant.preprocessed(self.lists, source, macro, version))

    def test_every_branch_is_read_where_no_kernel_is_meant(self):
        everything = Source(str(self.lists / "called.h"), None)
        names = {function.name for function in read_list(everything, "SYMBOLS")}
        for version in ((6, 12, 95), (7, 3, 4)):
            self.assertLess(set(plant.preprocessed(self.lists, "called.h", "SYMBOLS", version)),
                            names)

    def test_kernel_is_not_known(self):
        for release, message in (("6.11.95", "KVM before 6.12"), ("6.18.15", "between two"),
                                 ("9.12.95", "is not known yet")):
            with self.subTest(release):
                self.kvm.change_release(release)
                answer = self.kvm.check()
                self.assertEqual(answer.status, 1)
                self.assertRegex(answer.output, f"^error: .*{message}")
                self.assertEqual(answer.output.count("\n"), 1)

    def test_markdown_has_the_same_lines(self):
        plain = self.kvm.table("--lists", self.lists).output.splitlines()
        marked = self.kvm.table("--lists", self.lists, "--markdown").output.splitlines()
        functions = [line for line in marked if line.startswith("| `")]
        self.assertEqual(plain[-1], f"{len(functions)} functions, 0 errors")
        self.assertEqual([line.split("`")[1] for line in functions],
                         [line.split()[0] for line in plain[1:len(functions) + 1]])

    def test_document_has_the_table(self):
        release = plant.stock_release()
        text = (plant.TREE / "docs/kernels.md").read_text()
        documented = text.split(f"\n## {release}\n", 1)[1].split("\n## ", 1)[0]
        answer = plant.check("--markdown", plant.stock_kvm())
        self.assertEqual([line for line in documented.splitlines() if line.startswith("|")],
                         [line for line in answer.output.splitlines() if line.startswith("|")])

    def test_hooked_function_without_callers(self):
        self.change("callers.txt", r"^kvm_gmem_create .*\n", "")
        self.assertEqual(self.check().errors,
                         ["error: kvm_gmem_create: kapi/callers.txt has no caller of it"])

    def test_list_says_another_prototype(self):
        self.change("called.h", r"X\(lru_add_drain_all, void, \(void\)\)",
                    "X(lru_add_drain_all, void, (int))")
        answer = self.check()
        self.assertEqual(len(answer.errors), 1, answer.output)
        self.assertIn("expected void lru_add_drain_all(int), found void lru_add_drain_all(void)",
                      answer.errors[0])

    def test_reader_is_not_allowed(self):
        self.change("readers.txt", r"^hva_to_pfn +__kvm_gpc_refresh .*\n", "")
        answer = self.check()
        self.assertEqual(len(answer.errors), 1, answer.output)
        self.assertIn("hva_to_pfn: __kvm_gpc_refresh of kvm calls it", answer.errors[0])

    def test_broken_lists(self):
        for name, pattern, replacement, message in (
                ("callers.txt", r"^(kvm_gmem_create .*) 1$", r"\1", "has not 4 columns"),
                ("callers.txt", r"^(kvm_gmem_create .*) 1$", r"\1 one", "is no number of calls"),
                ("readers.txt", r"^gfn_to_page .*$", "gfn_to_page", "has not 4 columns"),
                ("hooked.h", r"define HOOKED\(", "define UNHOOKED(", "has no list HOOKED"),
                ("hooked.h", r"memory_failure, int, ", "memory_failure, ", "an entry that"),
                ("hooked.h", r"^#endif", "", "has an #if without its #endif"),
                ("compat/kvm.h", r"^#if .*< KERNEL_VERSION", "#if SIX(6,", "is not understood")):
            with self.subTest(message):
                self.lists = plant.lists(self.lists)
                self.change(name, pattern, replacement)
                answer = self.check()
                self.assertEqual(answer.status, 2)
                self.assertIn(message, answer.output)


class Prototypes(unittest.TestCase):
    """C types in one spelling."""

    def test_canonical(self):
        for text, expected in (
                ("long unsigned int", "unsigned long"), ("unsigned", "unsigned int"),
                ("long long int", "long long"), ("short unsigned int", "unsigned short"),
                ("signed char", "signed char"), ("_Bool", "bool"), ("pgoff_t", "unsigned long"),
                ("struct page  **", "struct page **"), ("void __user *", "void *"),
                ("struct kvm const *", "const struct kvm *"),
                ("char *const *", "char * const *")):
            self.assertEqual(canonical(text), canonical(expected))
            if "* const" not in expected:
                self.assertEqual(canonical(text), expected)

    def test_different_types_stay_different(self):
        types = ["int", "unsigned int", "long", "unsigned long", "u64", "void *", "void **",
                 "const void *", "void * const", "struct kvm *", "enum kvm *", "char",
                 "signed char", "unsigned char", "int (*)(void)", "int (*)(int)"]
        self.assertEqual(len({canonical(t) for t in types}), len(types))

    def test_arguments(self):
        self.assertEqual(split_arguments("int, int (*)(int, void *), char"),
                         ["int", "int (*)(int, void *)", "char"])
