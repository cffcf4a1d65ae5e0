# SPDX-License-Identifier: GPL-2.0-only
"""The build's own check, scripts/check-build, on kernels that gmem.ko cannot be built for."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from . import plant


class Build(unittest.TestCase):
    """Each case has a KDIR of its own, of which there is only what the check reads."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.kdir = pathlib.Path(folder.name)
        for name in ("include/config", "include/generated/uapi/linux", "build"):
            (self.kdir / name).mkdir(parents=True)

    def configure(self, version, *settings):
        """The kernel's version, and lines of its configuration."""
        major, minor, patch = version
        (self.kdir / "include/generated/uapi/linux/version.h").write_text(
            f"#define LINUX_VERSION_CODE {(major << 16) + (minor << 8) + min(patch, 255)}\n"
            "#define KERNEL_VERSION(a,b,c) (((a) << 16) + ((b) << 8) + (c))\n")
        (self.kdir / "include/config/auto.conf").write_text("\n".join([*settings, ""]))

    def check(self, *arguments, release="0.0.0-none", tree=plant.TREE):
        """(status, output) of the check, for a release that no machine has."""
        done = subprocess.run([tree / "scripts/check-build", self.kdir, release,
                               self.kdir / "build", *arguments],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_kernel_is_not_known(self):
        for version, message in (((6, 1, 192), "KVM before 6.12"), ((6, 11, 11), "KVM before 6.12"),
                                 ((6, 19, 14), "KVM of 6.13 to 7.1"), ((7, 4, 0), "is not known")):
            self.configure(version)
            # Leaving the check out does not make it known.
            for arguments in ((), ("none",), (plant.stock_kvm(),)):
                with self.subTest(version=version, arguments=arguments):
                    status, output = self.check(*arguments)
                    self.assertEqual(status, 1, output)
                    self.assertRegex(output, f"^check-build: 0.0.0-none: .*{message}")

    def test_module_is_of_another_kernel(self):
        self.configure((6, 12, 95))
        status, output = self.check(plant.stock_kvm())
        self.assertEqual(status, 1, output)
        self.assertRegex(output, r"is of 6\.12\..*, not of 0\.0\.0-none")

    def test_prototype_differs(self):
        kvm = plant.Kvm()
        self.addCleanup(kvm.close)
        kvm.change_argument("kvm_gmem_create", 1, "kvm_gmem_unbind", 0)
        self.configure((6, 12, 95), "CONFIG_DEBUG_INFO_BTF_MODULES=y")
        (self.kdir / "vmlinux").symlink_to(kvm.vmlinux)
        status, output = self.check(kvm.path, release=plant.stock_release())
        self.assertEqual(status, 1, output)
        self.assertIn("kvm_gmem_create: expected int kvm_gmem_create(struct kvm *, struct "
                      "kvm_create_guest_memfd *), found int", output)

    def test_built_in(self):
        self.configure((6, 12, 95), "CONFIG_KVM=y")
        self.assertEqual(self.check(), (0, "check-build: KVM of 0.0.0-none is not checked: it is "
                                           f"built in, and {self.kdir} has no vmlinux\n"))

    def test_built_in_and_something_is_missing(self):
        kvm = plant.Kvm()
        self.addCleanup(kvm.close)
        kvm.objcopy("--redefine-sym", "kvm_gmem_create=kvm_gmem_make")
        kvm.link(self.kdir / "vmlinux")
        self.configure((6, 12, 95), "CONFIG_KVM=y")
        status, output = self.check()
        self.assertEqual(status, 1, output)
        self.assertIn("error: kvm_gmem_create: there is no such function", output)

    def test_every_list_that_has_changed_is_checked_again(self):
        tree = self.kdir / "tree"
        for folder in ("scripts", "kapi"):
            shutil.copytree(plant.TREE / folder, tree / folder,
                            ignore=shutil.ignore_patterns("tests", "__pycache__"))
        self.configure((6, 12, 95))

        def check():
            status, output = self.check(plant.stock_kvm(), release=plant.stock_release(), tree=tree)
            self.assertEqual(status, 0, output)
            return output

        for file in ("hooked_private.h", "callers.txt", "compat/kvm.h"):
            with self.subTest(file=file):
                check()
                self.assertEqual(check(), "")
                with open(tree / "kapi" / file, "a", encoding="utf-8") as lines:
                    lines.write("\n")
                self.assertIn(" 0 errors", check())
