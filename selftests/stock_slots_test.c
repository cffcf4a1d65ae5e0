// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots on mappable files of the stock backend, made before gmem.ko is loaded and
 * deleted while it is: they are KVM's, and hold nothing of the module's. As root, gmem.ko
 * is not loaded before and afterwards; KVM of this kernel makes such memslots itself.
 *
 * Tests: mmu/slots.cc.
 */
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "module.h"
#include "takeover.h"

static void delete_beside_the_module(bool close_first)
{
	struct vm *vm;
	u64 value = 0;
	int fd;

	takeover_begin();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	fd = gmem_add_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	MUST(guest_write(&vm->vcpus[0], TEST_GPA, 8, 42));
	if (close_first)
		close(fd);
	MUST(module_load(GMEM_KO, ""));
	if (!close_first) {
		MUST(guest_read(&vm->vcpus[0], TEST_GPA, 8, &value));
		CHECK_EQ(value, 42);
	}
	vm_delete_slot(vm, TEST_SLOT);
	/* With a reference less than it has, the module would go under this one. */
	fd = vm_gmem(vm, SZ_2M);
	CHECK_EQ(module_unload("gmem"), -EAGAIN);
	close(fd);
	module_unload_soon("gmem");
	vm_free(vm);
}

static void test_closed_before(void)
{
	delete_beside_the_module(true);
}

static void test_open(void)
{
	delete_beside_the_module(false);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_closed_before),
	TAP_TEST(test_open),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
