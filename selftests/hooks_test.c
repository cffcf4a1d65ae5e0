// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other users of ftrace on the functions that gmem.ko takes over: who shares them, both
 * see the calls; who would bypass gmem.ko or be bypassed, one of the two is refused. As
 * root, gmem.ko is not loaded before and afterwards.
 *
 * Tests: kapi/takeover.c, kapi/hook_table.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "module.h"
#include "takeover.h"
#include "tracefs.h"

static void begin(void)
{
	tracefs_reset();
	takeover_begin();
}

static void end(void)
{
	tracefs_reset();
	takeover_check(NULL);
	module_unload_soon("gmem");
}

/* ---- probes and tracers ----------------------------------------------------------- */

static void check_hits(void)
{
	size_t before[nr_hooked];

	for (size_t i = 0; i < nr_hooked; i++)
		before[i] = tracefs_hits(hooked_names[i]);
	takeover_check(NULL);
	for (size_t i = 0; i < nr_hooked; i++) {
		if (takeover_reaches(hooked_names[i]))
			CHECK(tracefs_hits(hooked_names[i]) > before[i],
			      "the probe on %s is not hit", hooked_names[i]);
	}
}

static void check_traced(void)
{
	takeover_check(NULL);
	for (size_t i = 0; i < nr_hooked; i++) {
		if (takeover_reaches(hooked_names[i]))
			CHECK(tracefs_traced(hooked_names[i]), "%s is not traced",
			      hooked_names[i]);
	}
}

static void probe_before_loading(char kind)
{
	begin();
	tracefs_probe(kind, hooked_names, nr_hooked);
	takeover_load();
	check_hits();
	end();
}

static void probe_after_loading(char kind)
{
	begin();
	takeover_load();
	tracefs_probe(kind, hooked_names, nr_hooked);
	check_hits();
	end();
}

static void trace_before_loading(const char *tracer)
{
	begin();
	tracefs_trace(tracer, hooked_names, nr_hooked);
	takeover_load();
	check_traced();
	end();
}

static void trace_after_loading(const char *tracer)
{
	begin();
	takeover_load();
	tracefs_trace(tracer, hooked_names, nr_hooked);
	check_traced();
	end();
}

static void test_kprobes_before_loading(void)
{
	probe_before_loading('p');
}

static void test_kprobes_after_loading(void)
{
	probe_after_loading('p');
}

static void test_kretprobes_before_loading(void)
{
	probe_before_loading('r');
}

static void test_kretprobes_after_loading(void)
{
	probe_after_loading('r');
}

static void test_function_tracer_before_loading(void)
{
	trace_before_loading("function");
}

static void test_function_tracer_after_loading(void)
{
	trace_after_loading("function");
}

static void test_graph_tracer_before_loading(void)
{
	trace_before_loading("function_graph");
}

static void test_graph_tracer_after_loading(void)
{
	trace_after_loading("function_graph");
}

/* ---- ftrace turned off ------------------------------------------------------------ */

/* Writes sysctl kernel.ftrace_enabled: 0 or -errno. */
static int set_ftrace_enabled(const char *value)
{
	int fd = open("/proc/sys/kernel/ftrace_enabled", O_WRONLY | O_CLOEXEC), ret;

	CHECK_OK(fd);
	ret = write(fd, value, 1) == 1 ? 0 : -errno;
	close(fd);
	return ret;
}

/* Linux 7.3 refuses that whoever asks, with -EOPNOTSUPP. */
static bool ftrace_can_be_off(void)
{
	const int ret = set_ftrace_enabled("0");

	if (ret == -EOPNOTSUPP) {
		tap_diag("this kernel does not turn ftrace off");
		return false;
	}
	MUST(ret);
	MUST(set_ftrace_enabled("1"));
	return true;
}

/*
 * A guest whose memory is half there when somebody tries: the other half comes from us,
 * too, and its memslot goes through us. Where the try succeeds, it is taken back before
 * the stock backend is asked to undo what it has not done.
 */
static void test_ftrace_stays_on_while_loaded(void)
{
	struct vm *vm;
	int fd, ret, refused;

	begin();
	refused = ftrace_can_be_off() ? -EBUSY : -EOPNOTSUPP;
	takeover_load();
	vm = vm_create_private(1);
	fd = vm_add_private(vm, SZ_2M);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	ret = set_ftrace_enabled("0");
	if (!ret)
		MUST(set_ftrace_enabled("1"));
	CHECK_EQ(ret, refused);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + SZ_1M, PAGE_SIZE));
	vm_delete_slot(vm, TEST_SLOT);
	CHECK(file_is_ours(fd), "the file has become another's");
	close(fd);
	vm_free(vm);
	end();
	/* Nobody minds any more. */
	CHECK_EQ(ftrace_can_be_off(), refused == -EBUSY);
}

static void test_ftrace_is_turned_off_and_on_before_loading(void)
{
	begin();
	ftrace_can_be_off();
	takeover_load();
	end();
}

static void test_loading_with_ftrace_off_is_refused(void)
{
	int ret;

	begin();
	if (!ftrace_can_be_off())
		return;
	MUST(set_ftrace_enabled("0"));
	ret = module_load(GMEM_KO, "");
	MUST(set_ftrace_enabled("1"));
	CHECK(ret, "loaded without a hook that fires");
	CHECK(klog_says("gmem: ", "ftrace is off", "not loading"),
	      "the log does not say that ftrace is off");
	CHECK(!klog_says("gmem: attached"), "the log says that it is attached");
	takeover_load();
	end();
}

/* ---- functions that somebody else redirects -------------------------------------- */

static void occupy(const char *name)
{
	char parameters[128];

	module_unload_soon("gmem_test");
	snprintf(parameters, sizeof(parameters), "occupy=%s", name);
	MUST(module_load(GMEM_TEST_KO, parameters));
}

/* Without the function: refused, or loaded without what needs it; the log names it. */
static void load_without(const char *name)
{
	const int ret = module_load(GMEM_KO, "");

	if (ret) {
		CHECK(klog_says("gmem: ", name, "not loading"),
		      "%s is occupied, loading fails with %d, and the log does not name it",
		      name, ret);
		CHECK(!klog_says("gmem: attached"), "the log says that it is attached");
		return;
	}
	CHECK(klog_says("gmem: ", name, "going without"),
	      "%s is occupied, and the log does not name it", name);
	takeover_check(name);
	module_unload_soon("gmem");
}

/* As a live patch of the function would. */
static void test_each_function_occupied(void)
{
	for (size_t i = 0; i < nr_hooked; i++) {
		begin();
		occupy(hooked_names[i]);
		load_without(hooked_names[i]);
	}
	begin();
	takeover_load();
	end();
}

/* A probe that may change where the call goes on. */
static void test_probe_that_redirects(void)
{
	struct gmem_test_fail fail = { .symbol = "kvm_gmem_populate", .calls = 1 };
	int test;

	begin();
	test = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	CHECK_OK(test);
	CHECK_OK(ioctl(test, GMEM_TEST_FAIL, &fail));
	CHECK(module_load(GMEM_KO, ""), "loaded beside a probe that redirects");
	CHECK(klog_says("gmem: ", fail.symbol, "not loading"), "the log does not name %s",
	      fail.symbol);
	close(test);
	takeover_load();
	end();
}

static void test_occupying_after_loading_is_refused(void)
{
	char parameters[128];

	begin();
	module_unload_soon("gmem_test");
	takeover_load();
	for (size_t i = 0; i < nr_hooked; i++) {
		snprintf(parameters, sizeof(parameters), "occupy=%s", hooked_names[i]);
		CHECK_EQ(module_load(GMEM_TEST_KO, parameters), -EBUSY);
	}
	MUST(module_load(GMEM_TEST_KO, ""));
	end();
}

static const struct tap_test tests[] = {
	TAP_TEST(test_kprobes_before_loading),
	TAP_TEST(test_kprobes_after_loading),
	TAP_TEST(test_kretprobes_before_loading),
	TAP_TEST(test_kretprobes_after_loading),
	TAP_TEST(test_function_tracer_before_loading),
	TAP_TEST(test_function_tracer_after_loading),
	TAP_TEST(test_graph_tracer_before_loading),
	TAP_TEST(test_graph_tracer_after_loading),
	TAP_TEST(test_ftrace_stays_on_while_loaded),
	TAP_TEST(test_ftrace_is_turned_off_and_on_before_loading),
	TAP_TEST(test_loading_with_ftrace_off_is_refused),
	{ .name = "test_each_function_occupied", .fn = test_each_function_occupied,
	  .timeout = 300 },
	TAP_TEST(test_probe_that_redirects),
	TAP_TEST(test_occupying_after_loading_is_refused),
};

int main(void)
{
	/* What the kernel keeps of the first tracer and probes is no leak of a test's. */
	tracefs_reset();
	takeover_begin();
	tracefs_trace("function_graph", hooked_names, nr_hooked);
	tracefs_reset();
	tracefs_probe('p', hooked_names, nr_hooked);
	tracefs_reset();
	return tap_main(tests, ARRAY_SIZE(tests));
}
