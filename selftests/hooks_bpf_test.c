// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs on every function that gmem.ko takes over, attached before it is loaded
 * and after. Both see the calls: the programs count them, and guest_memfd is ours. As
 * root, gmem.ko is not loaded before and afterwards.
 *
 * Tests: kapi/takeover.c.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "module.h"
#include "takeover.h"
#include "vm.h"

/* One for each function of hooked_names. */
static struct bpf_attached *programs;
/* What the kernel puts into the wrong place, see find_misplaced(). */
static const char *misplaced;

/*
 * kvm_vm_ioctl() of Debian's kernel ends where a weak function begins that has lost its
 * name. ftrace_location() takes that one's fentry site for a second one of kvm_vm_ioctl(),
 * and may give it to BPF; it is never called. Without gmem.ko this is found out: such a
 * program sees no call of anybody's.
 */
static void find_misplaced(void)
{
	static const char name[] = "kvm_vm_ioctl";
	struct bpf_attached program;

	MUST(bpf_count_calls(&program, name, BPF_TRACE_FENTRY));
	vm_free(vm_create(KVM_X86_DEFAULT_VM, 1));
	misplaced = bpf_calls(&program) ? NULL : name;
	if (misplaced)
		tap_diag("without gmem.ko, a program on %s sees no call either", name);
	bpf_detach(&program);
}

static bool must_see_calls(size_t i)
{
	return programs[i].prog && takeover_reaches(hooked_names[i]) &&
	       !(misplaced && !strcmp(hooked_names[i], misplaced));
}

/* How many functions the kernel allows such programs on. */
static size_t attach(enum bpf_attach_type how)
{
	size_t attached = 0;

	programs = calloc(nr_hooked, sizeof(*programs));
	for (size_t i = 0; i < nr_hooked; i++) {
		const int ret = bpf_count_calls(&programs[i], hooked_names[i], how);

		/* What may be made to return something else is for the kernel to say. */
		if (ret == -EINVAL && how == BPF_MODIFY_RETURN)
			continue;
		CHECK(!ret, "a program on %s: %s", hooked_names[i], strerror(-ret));
		attached++;
	}
	return attached;
}

static void detach(void)
{
	for (size_t i = 0; i < nr_hooked; i++)
		bpf_detach(&programs[i]);
	free(programs);
}

/* Require that guest_memfd is ours, and that each program sees what we see. */
static void check_both(void)
{
	uint64_t *const before = calloc(nr_hooked, sizeof(*before));

	for (size_t i = 0; i < nr_hooked; i++)
		before[i] = programs[i].prog ? bpf_calls(&programs[i]) : 0;
	takeover_check(NULL);
	for (size_t i = 0; i < nr_hooked; i++) {
		if (must_see_calls(i))
			CHECK(bpf_calls(&programs[i]) > before[i],
			      "the program on %s has not seen a call", hooked_names[i]);
	}
	free(before);
}

static void before_loading(enum bpf_attach_type how)
{
	takeover_begin();
	find_misplaced();
	tap_diag("%zu of %zu functions have a program", attach(how), nr_hooked);
	takeover_load();
	check_both();
	/* The functions are ours alone, then nobody's. */
	detach();
	takeover_check(NULL);
	module_unload_soon("gmem");
}

static void after_loading(enum bpf_attach_type how)
{
	takeover_begin();
	find_misplaced();
	takeover_load();
	tap_diag("%zu of %zu functions have a program", attach(how), nr_hooked);
	check_both();
	detach();
	takeover_check(NULL);
	module_unload_soon("gmem");
}

static void test_fentry_before_loading(void)
{
	before_loading(BPF_TRACE_FENTRY);
}

static void test_fentry_after_loading(void)
{
	after_loading(BPF_TRACE_FENTRY);
}

static void test_fexit_before_loading(void)
{
	before_loading(BPF_TRACE_FEXIT);
}

static void test_fexit_after_loading(void)
{
	after_loading(BPF_TRACE_FEXIT);
}

/* Debian's kernel refuses all of ours: only those that may fail for a test are allowed. */
static void test_fmod_ret_where_allowed(void)
{
	before_loading(BPF_MODIFY_RETURN);
	after_loading(BPF_MODIFY_RETURN);
}

/* The calls of a stock VM's making, by the program on the function that makes it. */
static void check_stock(void)
{
	size_t init;
	uint64_t before;

	for (init = 0; init < nr_hooked; init++) {
		if (!strcmp(hooked_names[init], "kvm_arch_init_vm"))
			break;
	}
	CHECK(init < nr_hooked, "kvm_arch_init_vm is not taken over");
	before = bpf_calls(&programs[init]);
	vm_free(vm_create(KVM_X86_DEFAULT_VM, 1));
	CHECK_EQ(bpf_calls(&programs[init]) - before, 1);
}

/* Programs stay while the module comes and goes. */
static void test_fexit_while_the_module_comes_and_goes(void)
{
	takeover_begin();
	find_misplaced();
	attach(BPF_TRACE_FEXIT);
	for (int round = 0; round < 5; round++) {
		takeover_load();
		check_both();
		module_unload_soon("gmem");
		check_stock();
	}
	detach();
	takeover_load();
	attach(BPF_TRACE_FEXIT);
	module_unload_soon("gmem");
	check_stock();
	detach();
}

/* Has a program come and go on the function @name until *@arg is set. */
struct comer {
	const char *name;
	volatile bool over;
	unsigned int rounds;
};

static void *come_and_go(void *arg)
{
	struct comer *comer = arg;

	while (!comer->over) {
		struct bpf_attached program;

		MUST(bpf_count_calls(&program, comer->name, BPF_TRACE_FEXIT));
		bpf_detach(&program);
		comer->rounds++;
	}
	return NULL;
}

/* The kernel tells who would share with a program that is changing to try again. */
static void test_programs_come_and_go_while_the_module_is_loaded(void)
{
	struct comer comers[] = { { .name = "kvm_gmem_create" },
				  { .name = "kvm_arch_prepare_memory_region" } };
	pthread_t threads[ARRAY_SIZE(comers)];

	takeover_begin();
	for (size_t i = 0; i < ARRAY_SIZE(comers); i++)
		threads[i] = thread_start(come_and_go, &comers[i]);
	for (int round = 0; round < 20; round++) {
		takeover_load();
		module_unload_soon("gmem");
	}
	for (size_t i = 0; i < ARRAY_SIZE(comers); i++) {
		comers[i].over = true;
		pthread_join(threads[i], NULL);
		CHECK(comers[i].rounds > 10, "a program has come and gone %u times",
		      comers[i].rounds);
	}
	takeover_load();
	takeover_check(NULL);
	module_unload_soon("gmem");
}

static const struct tap_test tests[] = {
	TAP_TEST(test_fentry_before_loading),
	TAP_TEST(test_fentry_after_loading),
	TAP_TEST(test_fexit_before_loading),
	TAP_TEST(test_fexit_after_loading),
	TAP_TEST(test_fmod_ret_where_allowed),
	TAP_TEST(test_fexit_while_the_module_comes_and_goes),
	{ .name = "test_programs_come_and_go_while_the_module_is_loaded",
	  .fn = test_programs_come_and_go_while_the_module_is_loaded, .timeout = 300 },
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
