// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen of guest memory from outside: each tracepoint's fields, the map of a
 * file, what fdinfo says, and gmemctl on all of that.
 *
 * Tests: kapi/tracepoints.h, mmu/map.cc.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "pins.h"
#include "poison.h"
#include "tracefs.h"

#define FILE_SIZE	(4 * SZ_2M)
#define RUNS		(FILE_SIZE / SZ_2M)

struct scene {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;
	unsigned long ino;
};

static unsigned long ino_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_ino;
}

/* A VM with a private file, all of it traced from the start. */
static struct scene traced_scene(void)
{
	struct scene s;

	tracefs_reset();
	tracefs_events("gmem", true);
	s.vm = vm_create_private(1);
	s.vcpu = &s.vm->vcpus[0];
	s.fd = vm_add_private(s.vm, FILE_SIZE);
	s.ino = ino_of(s.fd);
	return s;
}

/* Require a line of @event about the scene's file that has @fields. */
static void check_event(const struct scene *s, const char *event, const char *fields)
{
	char start[100];

	snprintf(start, sizeof(start), "%s: ino=%lu ", event, s->ino);
	CHECK(tracefs_has(start, fields), "no line \"%s\" with \"%s\"", start, fields);
}

static void stop(const struct scene *s)
{
	tracefs_events("gmem", false);
	vm_free(s->vm);
	close(s->fd);
}

static void test_a_life_is_traced(void)
{
	struct scene s = traced_scene();

	MUST(guest_write(s.vcpu, TEST_GPA + 5 * PAGE_SIZE, 8, 1));
	/* One of the two comes back. */
	MUST(gmem_punch(s.fd, 0, 2 * PAGE_SIZE));
	MUST(guest_write(s.vcpu, TEST_GPA, 8, 1));
	vm_delete_slot(s.vm, TEST_SLOT);
	check_event(&s, "gmem_create",
		    "vm_type=1 size=8388608 platform=none huge=1 mappable=0 shared=0");
	check_event(&s, "gmem_bind", "gfn=0x40000 index=0 npages=2048 ret=0");
	check_event(&s, "gmem_fault",
		    "index=5 gfn=0x40005 who=guest private order=9 small=not ret=0 ns=");
	check_event(&s, "gmem_fault",
		    "index=0 gfn=0x40000 who=guest private order=0 small=partial");
	check_event(&s, "gmem_punch", "index=0 npages=2 ret=0 ns=");
	check_event(&s, "gmem_reclaim", "index=0 npages=2 leaked=0");
	check_event(&s, "gmem_unbind", "gfn=0x40000 index=0 npages=2048");
	stop(&s);
}

static void test_nothing_is_told_to_nobody(void)
{
	struct scene s = traced_scene();

	tracefs_events("gmem", false);
	MUST(guest_write(s.vcpu, TEST_GPA, 8, 1));
	CHECK(!tracefs_has("gmem_fault: ", ""), "a fault was traced while nobody listened");
	stop(&s);
}

static void test_populate_is_traced(void)
{
	struct scene s = traced_scene();
	struct gmem_test_populate req = {
		.vm_fd = s.vm->fd,
		.gfn = TEST_GPA / PAGE_SIZE,
		.npages = 3,
		.source = (u64)vm_source(SZ_2M),
		.fail_gfn = ~0UL,
	};
	int module = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);

	CHECK_OK(module);
	CHECK_EQ(ioctl(module, GMEM_TEST_POPULATE, &req), 3);
	check_event(&s, "gmem_populate", "gfn=0x40000 npages=3 done=3 ret=0 ns=");
	close(module);
	stop(&s);
}

static void test_a_launch_is_traced(void)
{
	struct scene s = traced_scene();
	struct gmem_launch_finish args = {};

	CHECK_ERRNO(ioctl(s.fd, GMEM_FINISH, &args), EOPNOTSUPP);
	check_event(&s, "gmem_launch", "phase=finish done=0 ret=-95 firmware_error=0x0 ns=");
	stop(&s);
}

static void test_conversions_are_traced(void)
{
	struct scene s = { .vm = vm_create_private(1) };
	struct pin pin;
	u64 at;
	char *p;

	tracefs_reset();
	tracefs_events("gmem", true);
	s.fd = gmem_add_mappable(s.vm, FILE_SIZE, SHARED_AT_FIRST);
	s.ino = ino_of(s.fd);
	p = gmem_map(s.fd, 0, FILE_SIZE);
	p[9 * PAGE_SIZE] = 1;
	check_event(&s, "gmem_fault", "index=9 gfn=0xffffffffffffffff who=user shared");
	pin_take(&pin, PIN_VMSPLICE, p + 9 * PAGE_SIZE, 1);
	CHECK_EQ(gmem_convert(s.fd, 0, SZ_2M, KVM_MEMORY_ATTRIBUTE_PRIVATE, &at), -EAGAIN);
	check_event(&s, "gmem_convert", "phase=prepare to=private index=0 npages=512 at=9 ret=-11");
	check_event(&s, "gmem_convert", "phase=fail to=private");
	pin_release(&pin);
	gmem_make_private(s.fd, 0, SZ_2M);
	check_event(&s, "gmem_convert", "phase=prepare to=private index=0 npages=512 at=0 ret=0");
	check_event(&s, "gmem_convert", "phase=commit to=private index=0 npages=512");
	stop(&s);
}

static void test_linking_is_traced(void)
{
	struct scene s = traced_scene();
	struct vm *heir = vm_create_private(0);
	struct kvm_link_guest_memfd args = { .fd = s.fd };
	int fd = ioctl(heir->fd, KVM_LINK_GUEST_MEMFD, &args);

	CHECK_OK(fd);
	check_event(&s, "gmem_link", "ret=0 ns=");
	close(fd);
	vm_free(heir);
	stop(&s);
}

static void test_promotion_is_traced(void)
{
	struct scene s = traced_scene();
	const long before = gmem_counter(s.fd, "gmem_promotions");

	/* Pages of two runs in turn: those of neither lie in one piece. */
	for (u64 at = 0; at < SZ_2M; at += PAGE_SIZE) {
		MUST(gmem_alloc(s.fd, at, PAGE_SIZE));
		MUST(gmem_alloc(s.fd, SZ_2M + at, PAGE_SIZE));
	}
	MUST(guest_touch_write(s.vcpu, TEST_GPA, 8, PAGE_SIZE, 512, 1));
	AWAIT(gmem_counter(s.fd, "gmem_promotions") > before, "the run does not become huge");
	check_event(&s, "gmem_promotion", "index=0 ret=0 ns=");
	stop(&s);
}

static void test_poison_is_traced(void)
{
	struct scene s;

	poison_require();
	s = traced_scene();
	MUST(guest_write(s.vcpu, TEST_GPA, 8, 1));
	poison_page(s.fd, 7);
	check_event(&s, "gmem_poison", "index=7 pfn=0x");
	CHECK(guest_write(s.vcpu, TEST_GPA + 7 * PAGE_SIZE, 8, 1) != EXIT_DONE, "it is lost");
	check_event(&s, "gmem_fault",
		    "index=7 gfn=0x40007 who=guest private order=0 small=not ret=-133");
	MUST(gmem_punch(s.fd, 8 * PAGE_SIZE, PAGE_SIZE));
	MUST(guest_write(s.vcpu, TEST_GPA + 8 * PAGE_SIZE, 8, 1));
	check_event(&s, "gmem_fault",
		    "index=8 gfn=0x40008 who=guest private order=0 small=poisoned");
	MUST(gmem_punch(s.fd, 0, FILE_SIZE));
	stop(&s);
}

static int get_map(int fd, u64 offset, struct gmem_map_run *runs, u32 *count, u32 flags)
{
	struct gmem_get_map args = {
		.offset = offset,
		.runs = (unsigned long)runs,
		.count = *count,
		.flags = flags,
	};
	int ret = ioctl(fd, GMEM_GET_MAP, &args);

	*count = args.count;
	return ret ? -errno : 0;
}

static void check_run(const struct gmem_map_run *run, u32 present, u32 shared, u32 order, u32 small)
{
	CHECK_EQ(run->present, present);
	CHECK_EQ(run->shared, shared);
	CHECK_EQ(run->lost, 0);
	CHECK_EQ(run->order, order);
	CHECK_EQ(run->small, small);
	CHECK_EQ(run->node, present ? 0 : -1);
}

/* perf and trace-cmd do not know the values of the module's enums: formats have numbers. */
static void test_formats_have_numbers(void)
{
	glob_t found;

	tracefs_reset();
	CHECK(!glob("/sys/kernel/tracing/events/gmem/*/format", 0, NULL, &found), "no formats");
	CHECK(found.gl_pathc >= 12, "%zu events", found.gl_pathc);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");
		char line[4096];

		CHECK(file, "no %s", found.gl_pathv[i]);
		while (fgets(line, sizeof(line), file))
			CHECK(!strstr(line, "KAPI_"), "%s: %s", found.gl_pathv[i], line);
		fclose(file);
	}
	globfree(&found);
}

static void test_map(void)
{
	struct gmem_map_run runs[RUNS + 2];
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	u32 count = RUNS + 2;

	MUST(guest_write(&vm->vcpus[0], TEST_GPA, 8, 1));
	MUST(guest_write(&vm->vcpus[0], TEST_GPA + SZ_2M, 8, 1));
	gmem_make_shared(fd, SZ_2M, 3 * PAGE_SIZE);
	MUST(gmem_alloc(fd, 2 * SZ_2M, PAGE_SIZE));
	memset(runs, 0xff, sizeof(runs));
	MUST(get_map(fd, 0, runs, &count, 0));
	CHECK_EQ(count, RUNS);
	check_run(&runs[0], 512, 0, 9, GMEM_SMALL_NOT);
	check_run(&runs[1], 512, 3, 0, GMEM_SMALL_MIXED);
	check_run(&runs[2], 1, 0, 0, GMEM_SMALL_PARTIAL);
	check_run(&runs[3], 0, 0, 0, GMEM_SMALL_NOT);
	CHECK_EQ(runs[RUNS].present, 0xffff);
	CHECK_EQ(gmem_counter(fd, "gmem_pages"), 1025);
	CHECK_EQ(gmem_counter(fd, "gmem_pages_shared"), 3);
	CHECK_EQ(gmem_counter(fd, "gmem_fallback_place"), 1);
	/* Less room than there are runs, from the middle on. */
	count = 2;
	MUST(get_map(fd, SZ_2M, runs, &count, 0));
	CHECK_EQ(count, 2);
	check_run(&runs[0], 512, 3, 0, GMEM_SMALL_MIXED);
	vm_free(vm);
	close(fd);
}

/* What gmemctl top shows the growth of. */
static void test_counters(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	const long total = gmem_total("faults");
	char *p = gmem_map(fd, 0, FILE_SIZE);
	struct pin pin;
	long faults;
	u64 at;

	CHECK_EQ(gmem_counter(fd, "gmem_faults"), 0);
	MUST(guest_write(&vm->vcpus[0], TEST_GPA, 8, 1));
	/* KVM asks again where something came in between. */
	faults = gmem_counter(fd, "gmem_faults");
	CHECK(faults >= 1, "%ld faults", faults);
	CHECK_EQ(gmem_counter(fd, "gmem_splits"), 0);
	gmem_make_shared(fd, SZ_2M - PAGE_SIZE, PAGE_SIZE);
	CHECK_EQ(gmem_counter(fd, "gmem_conversions"), 1);
	CHECK_EQ(gmem_counter(fd, "gmem_splits"), 1);
	p[SZ_2M - PAGE_SIZE] = 1;
	CHECK(gmem_counter(fd, "gmem_faults") > faults, "user space's fault is not counted");
	pin_take(&pin, PIN_VMSPLICE, p + SZ_2M - PAGE_SIZE, 1);
	CHECK_EQ(gmem_convert(fd, 0, SZ_2M, KVM_MEMORY_ATTRIBUTE_PRIVATE, &at), -EAGAIN);
	pin_release(&pin);
	CHECK_EQ(gmem_counter(fd, "gmem_conversions"), 1);
	CHECK_EQ(gmem_counter(fd, "gmem_refused_busy"), 1);
	CHECK(mem_is_hidden(p), "user space sees a private page");
	CHECK(gmem_counter(fd, "gmem_refused_state") > 0, "nobody was refused that");
	MUST(gmem_punch(fd, 0, SZ_2M));
	CHECK_EQ(gmem_counter(fd, "gmem_punches"), 1);
	CHECK_EQ(gmem_counter(fd, "gmem_splits"), 1);
	CHECK(gmem_total("faults") >= total + 2, "the total is less than its parts");
	CHECK_OK(munmap(p, FILE_SIZE));
	vm_free(vm);
	close(fd);
}

static void test_map_refusals(void)
{
	struct gmem_map_run runs[RUNS];
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);
	u32 count = 1, none = 0;

	CHECK_EQ(get_map(fd, PAGE_SIZE, runs, &count, 0), -EINVAL);
	count = 1;
	CHECK_EQ(get_map(fd, FILE_SIZE, runs, &count, 0), -EINVAL);
	count = 1;
	CHECK_EQ(get_map(fd, ~0UL << 21, runs, &count, 0), -EINVAL);
	count = 1;
	CHECK_EQ(get_map(fd, 0, runs, &count, 1), -EINVAL);
	CHECK_EQ(get_map(fd, 0, runs, &none, 0), -EINVAL);
	count = 1;
	CHECK_EQ(get_map(fd, 0, (void *)8, &count, 0), -EFAULT);
	count = ~0U;
	MUST(get_map(fd, 0, runs, &count, 0));
	CHECK_EQ(count, RUNS);
	vm_free(vm);
	close(fd);
}

/* What @command prints, and its status. */
static int run(const char *command, char *text, size_t size)
{
	FILE *output = popen(command, "r");
	size_t length;

	CHECK(output, "%s: %m", command);
	length = fread(text, 1, size - 1, output);
	text[length] = '\0';
	return WEXITSTATUS(pclose(output));
}

/* Require that gmemctl with @arguments, of the file if there is a %d, says @words. */
static void check_gmemctl(int fd, const char *arguments, int status, const char *words)
{
	static char text[1 << 20];
	char command[200];
	int is;

	snprintf(command, sizeof(command), "gmemctl %s", arguments);
	if (fd >= 0)
		snprintf(command + strlen(command), sizeof(command) - strlen(command), " %d:%d",
			 getpid(), fd);
	strncat(command, " 2>&1", sizeof(command) - strlen(command) - 1);
	is = run(command, text, sizeof(text));
	CHECK(is == status && strstr(text, words), "%s: status %d, and \"%.300s\", not \"%s\"",
	      command, is, text, words);
}

static void test_gmemctl(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = vm_add_private(vm, FILE_SIZE);

	MUST(guest_write(&vm->vcpus[0], TEST_GPA, 8, 1));
	MUST(gmem_alloc(fd, 2 * SZ_2M, PAGE_SIZE));
	check_gmemctl(-1, "list", 0, "sw-protected none");
	check_gmemctl(-1, "list --json", 0, "\"command\": \"observe_test\"");
	check_gmemctl(-1, "list --json", 0, "\"private\": 2101248");
	check_gmemctl(-1, "list --json", 0, "\"cgroup\": \"/");
	check_gmemctl(fd, "show", 0, "P.p.\n");
	check_gmemctl(fd, "show --svg", 0, "</svg>");
	check_gmemctl(fd, "why", 0, "partial: 4K now");
	check_gmemctl(-1, "leaks", 0, "");
	vm_delete_slot(vm, TEST_SLOT);
	check_gmemctl(-1, "leaks", 1, "no memslot shows it");
	check_gmemctl(-1, "check", 0, "KVM's can be traced");
	check_gmemctl(-1, "top --count 1 --interval 0.1", 0, "observe_test");
	check_gmemctl(0, "show", 5, "not a guest_memfd");
	vm_free(vm);
	close(fd);
}

/*
 * Runs @command, which has gmemctl follow what is created, in a tracing instance of its own, which
 * it removes. Returns what it says; it ends with @status.
 */
static const char *follow(const char *command, int status)
{
	static char text[1 << 16];
	FILE *output = popen(command, "r");
	struct vm *vm = vm_create_private(0);
	int fds[64], nr = 0;

	memset(text, 0, sizeof(text));

	CHECK(output, "popen: %m");
	/* Events before gmemctl listens are lost. */
	AWAIT(!access("/sys/kernel/tracing/events/gmem", F_OK), "no tracepoints");
	for (fcntl(fileno(output), F_SETFL, O_NONBLOCK);;) {
		if (nr < 64)
			fds[nr++] = vm_gmem(vm, SZ_2M);
		else
			close(fds[63]), fds[63] = vm_gmem(vm, SZ_2M);
		if (fread(text, 1, sizeof(text) - 1, output) > 0)
			break;
		clearerr(output);
		let_pass(10000);
	}
	CHECK_EQ(WEXITSTATUS(pclose(output)), status);
	CHECK(system("ls -d /sys/kernel/tracing/instances/gmemctl* >/dev/null 2>&1"),
	      "an instance is left");
	while (nr)
		close(fds[--nr]);
	vm_free(vm);
	return text;
}

static void test_gmemctl_follows_events(void)
{
	const char *text = follow("gmemctl events --json --count 1 create 2>&1", 0);

	CHECK(strstr(text, "\"event\":\"gmem_create\""), "it says \"%.200s\"", text);
	CHECK(strstr(text, "\"size\":\"2097152\""), "it says \"%.200s\"", text);
}

static void test_gmemctl_has_no_room_for_events(void)
{
	const char *text = follow("gmemctl events create 2>&1 >/dev/full", 7);

	CHECK(strstr(text, "No space left"), "it says \"%.200s\"", text);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_a_life_is_traced),
	TAP_TEST(test_nothing_is_told_to_nobody),
	TAP_TEST(test_populate_is_traced),
	TAP_TEST(test_a_launch_is_traced),
	TAP_TEST(test_conversions_are_traced),
	TAP_TEST(test_linking_is_traced),
	TAP_TEST(test_promotion_is_traced),
	TAP_TEST(test_poison_is_traced),
	TAP_TEST(test_formats_have_numbers),
	TAP_TEST(test_map),
	TAP_TEST(test_counters),
	TAP_TEST(test_map_refusals),
	TAP_TEST(test_gmemctl),
	TAP_TEST(test_gmemctl_follows_events),
	TAP_TEST(test_gmemctl_has_no_room_for_events),
};

int main(void)
{
	/* The kernel keeps the buffers of a first listener: that is no leak of a test's. */
	tracefs_events("gmem", true);
	tracefs_events("gmem", false);
	return tap_main(tests, ARRAY_SIZE(tests));
}
