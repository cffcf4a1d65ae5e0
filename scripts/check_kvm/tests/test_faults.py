# SPDX-License-Identifier: GPL-2.0-only
"""A sound KVM passes; each fault planted in it is found, and nothing else is."""

import subprocess
import unittest

from ..elf import STT_OBJECT
from . import plant


class Faults(unittest.TestCase):
    """Each case has a KVM of its own."""

    def setUp(self):
        self.kvm = plant.Kvm()
        self.addCleanup(self.kvm.close)

    def finds(self, *parts, options=()):
        """The one error has all of @parts in it."""
        answer = self.kvm.check(*options)
        self.assertEqual(answer.status, 1, answer.output)
        self.assertEqual(len(answer.errors), 1, answer.output)
        for part in parts:
            self.assertIn(part, answer.errors[0])
        self.assertRegex(answer.last, r"^\d+ functions, 1 errors$")

    def test_sound(self):
        answer = self.kvm.check()
        self.assertEqual(answer.errors, [])
        self.assertEqual(answer.status, 0)
        self.assertRegex(answer.last, r"^\d+ functions, 0 errors$")

    def test_function_is_missing(self):
        self.kvm.objcopy("--redefine-sym", "kvm_range_has_memory_attributes=renamed")
        self.finds("kvm_range_has_memory_attributes: there is no such function")

    def test_hooked_function_is_missing(self):
        self.kvm.objcopy("--redefine-sym", "kvm_gmem_create=kvm_gmem_make")
        self.finds("kvm_gmem_create: there is no such function")

    def test_no_alternative_is_there(self):
        self.kvm.objcopy("--redefine-sym", "kvm_gmem_bind=kvm_gmem_tie")
        self.finds("kvm_gmem_bind: KVM must have kvm_gmem_bind; or "
                   "kvm_gmem_prepare_memory_region and kvm_gmem_commit_memory_region; and nothing "
                   "of the other. It has none of them")

    def test_half_an_alternative_is_there(self):
        self.kvm.objcopy("--redefine-sym", "kvm_gmem_bind=kvm_gmem_commit_memory_region")
        self.finds("It has kvm_gmem_commit_memory_region")

    def test_one_alternative_and_some_of_the_other_are_there(self):
        self.kvm.objcopy("--add-symbol", "kvm_gmem_prepare_memory_region=.text:0x10,function,local")
        self.finds("It has kvm_gmem_bind, kvm_gmem_prepare_memory_region")

    def test_function_is_no_function(self):
        self.kvm.symbol_type("kvm_mmu_invalidate_end", STT_OBJECT)
        self.finds("kvm_mmu_invalidate_end: there is no such function")

    def test_function_is_there_only_with_other_arguments(self):
        name = "__kvm_mmu_max_mapping_level"
        for suffix in (".constprop.0", ".isra.0", ".part.0"):
            with self.subTest(suffix):
                self.kvm.objcopy("--redefine-sym", f"{name}={name}{suffix}")
                self.finds(f"{name}: is only there as {name}{suffix}")
                self.kvm.objcopy("--redefine-sym", f"{name}{suffix}={name}")

    def test_function_has_a_copy(self):
        for suffix in (".constprop.0", ".isra.0", ".part.0"):
            with self.subTest(suffix):
                self.kvm.objcopy("--add-symbol", f"kvm_vcpu_map{suffix}=.text:0x10,function,local")
                self.finds(f"kvm_vcpu_map: has a copy besides, kvm_vcpu_map{suffix}")
                self.kvm.objcopy("--strip-symbol", f"kvm_vcpu_map{suffix}")

    def test_two_functions_of_one_name(self):
        self.kvm.objcopy("--add-symbol", "kvm_gmem_create=.text:0x10,function,local")
        self.finds("kvm_gmem_create: there are 2 functions of that name in kvm")

    def test_function_cannot_be_traced(self):
        self.kvm.untrace("kvm_gmem_unbind")
        self.finds("kvm_gmem_unbind: cannot be traced")

    def test_argument_has_another_type(self):
        self.kvm.change_argument("kvm_gmem_bind", 3, "kvm_gmem_create", 0)
        self.finds("expected int kvm_gmem_bind(struct kvm *, struct kvm_memory_slot *, "
                   "unsigned int, loff_t)",
                   "found int kvm_gmem_bind(struct kvm *, struct kvm_memory_slot *, "
                   "unsigned int, struct kvm *)")

    def test_argument_has_a_type_as_good(self):
        self.kvm.change_argument("kvm_gmem_bind", 3, "kvm_flush_remote_tlbs_range", 2)
        answer = self.kvm.table()
        self.assertEqual((answer.status, answer.errors), (0, []), answer.output)
        self.assertRegex(answer.output, r"(?m)^kvm_gmem_bind .* as good as expected ")

    def test_argument_is_const_no_more(self):
        self.kvm.change_argument("__gfn_to_pfn_memslot", 0, "kvm_gmem_unbind", 0)
        self.finds("found kvm_pfn_t __gfn_to_pfn_memslot(struct kvm_memory_slot *,")

    def test_result_has_another_type(self):
        self.kvm.change_argument("kvm_vm_ioctl_check_extension_generic", -1,
                                 "kvm_vm_ioctl_check_extension_generic", 1)
        self.finds("found long kvm_vm_ioctl_check_extension_generic(struct kvm *, long)")

    def test_called_function_has_other_arguments(self):
        self.kvm.change_argument("kvm_flush_remote_tlbs_range", 2, "kvm_arch_gmem_prepare", 3)
        self.finds("found void kvm_flush_remote_tlbs_range(struct kvm *, gfn_t, int)")

    def test_callback_has_other_arguments(self):
        self.kvm.change_callback("kvm_gmem_populate_cb", 4, 1)
        self.finds("kvm_gmem_populate_cb: expected int kvm_gmem_populate_cb(struct kvm *, gfn_t, "
                   "kvm_pfn_t, void *, int, void *), found")

    def test_struct_has_another_layout(self):
        self.kvm.grow_struct("x86_exception", 8, "async_page_fault")
        answer = self.kvm.table()
        self.assertEqual(answer.status, 0, answer.output)
        for function in ("paging64_gva_to_gpa", "paging32_gva_to_gpa"):
            for what in ("expected async_page_fault of struct x86_exception at byte 16, found it "
                         "at 24", "expected struct x86_exception of 32 bytes, found 40"):
                self.assertIn("note: no VMs of SNP's type with platform=snp-model: "
                              f"{function}: {what}\n", answer.output)

    def test_one_of_two_calls_is_inlined(self):
        self.kvm.drop_calls("__gfn_to_pfn_memslot", "kvm_faultin_pfn", 1)
        self.finds("__gfn_to_pfn_memslot: kvm_faultin_pfn of kvm has 1 calls to it, not 2")

    def test_all_calls_are_inlined(self):
        self.kvm.drop_calls("__gfn_to_pfn_memslot", "kvm_faultin_pfn", 2)
        self.finds("__gfn_to_pfn_memslot: kvm_faultin_pfn of kvm has no call to it")

    def test_static_function_is_inlined(self):
        self.kvm.drop_calls("__kvm_mmu_max_mapping_level", "kvm_mmu_hugepage_adjust")
        self.finds("__kvm_mmu_max_mapping_level: kvm_mmu_hugepage_adjust of kvm has no call to it")

    def test_vendors_module_does_not_call(self):
        self.kvm.drop_calls("kvm_vcpu_map", "nested_svm_vmrun", module="kvm-amd")
        self.finds("kvm_vcpu_map: nested_svm_vmrun of kvm-amd has no call to it")

    def test_caller_is_not_there(self):
        self.kvm.objcopy("--redefine-sym", "kvm_set_memslot=set_it")
        answer = self.kvm.check()
        self.assertEqual(answer.status, 1)
        self.assertTrue(any("kvm_arch_prepare_memory_region: kvm_set_memslot, which calls it, "
                            "is not a function of kvm" in error for error in answer.errors))

    def test_another_reads_user_memory(self):
        self.kvm.redirect_call("kvm_vcpu_ioctl", "hva_to_pfn")
        self.finds("hva_to_pfn: kvm_vcpu_ioctl of kvm calls it")

    def test_a_copy_of_a_reader_is_watched(self):
        self.kvm.redirect_call("kvm_vcpu_ioctl", "hva_to_pfn")
        self.kvm.objcopy("--redefine-sym", "hva_to_pfn=hva_to_pfn.constprop.0")
        self.finds("hva_to_pfn: kvm_vcpu_ioctl of kvm calls it")

    def test_another_takes_users_pages(self):
        self.kvm.redirect_call("kvm_vcpu_ioctl", "get_user_pages_unlocked")
        self.finds("get_user_pages_unlocked: kvm_vcpu_ioctl of kvm calls it")

    def test_vendors_module_takes_the_page_of_a_gfn(self):
        self.kvm.objcopy("--redefine-sym", "kvm_vcpu_map=gfn_to_pfn", module="kvm-intel")
        answer = self.kvm.check()
        self.assertTrue(any("gfn_to_pfn: nested_get_vmcs12_pages of kvm-intel calls it (4 times)"
                            in error for error in answer.errors), answer.output)

    def test_built_in(self):
        vmlinux = self.kvm.folder / "vmlinux"
        self.kvm.link(vmlinux)
        answer = plant.check("--no-btf", "--vmlinux", vmlinux)
        # All that is missing is the kernel around it.
        others = [error for error in answer.errors if "there is no such function" not in error]
        self.assertEqual(others, [], answer.output)
        self.assertRegex(answer.output, r"kvm_vm_ioctl +hooked +vmlinux +yes .*kvm_vm_fops")

    def test_built_in_and_inlined(self):
        self.kvm.drop_calls("kvm_gmem_get_pfn", "kvm_faultin_pfn")
        vmlinux = self.kvm.folder / "vmlinux"
        self.kvm.link(vmlinux)
        answer = plant.check("--no-btf", "--vmlinux", vmlinux)
        self.assertIn("error: kvm_gmem_get_pfn: kvm_faultin_pfn of vmlinux has no call to it: "
                      "inlined there, or no caller any more", answer.errors)

    def test_compressed(self):
        for command, suffix in ((["xz"], "xz"), (["zstd", "-q", "--rm"], "zst"), (["gzip"], "gz")):
            with self.subTest(suffix):
                subprocess.run([*command, self.kvm.path], check=True)
                answer = plant.check("--vmlinux", self.kvm.vmlinux, f"{self.kvm.path}.{suffix}")
                self.assertEqual((answer.status, answer.errors), (0, []), answer.output)
                subprocess.run([*command[:1], "-dq", f"{self.kvm.path}.{suffix}"], check=True)

    def test_vendors_module_is_missing(self):
        (self.kvm.folder / "kvm-intel.ko").unlink()
        answer = self.kvm.table()
        self.assertEqual(answer.status, 0)
        self.assertIn("note: kvm-intel has not been looked at", answer.output)
