// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions at once with everything else: vCPUs, user space's touches, other
 * conversions, mapping, forking, punching, poisoning, closing. Pages with an owner are
 * converted by their owner's thread alone: they keep their content and convert without
 * fail. All others show what was written to them since they were punched, or zeros, or a
 * signal.
 *   convert_race_test [SECONDS]
 *
 * Tests: gmem/conversion.cc, mmu/faults.cc.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "poison.h"
#include "rng.h"

#define CPUS		2
#define PAGES		1024UL
#define FILE_SIZE	(PAGES * PAGE_SIZE)
#define WORDS		(PAGE_SIZE / 8)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
#define WORD(page, n)	(0x5a00000000000000UL | (u64)(page) << 32 | (n))
#define OTHER_SLOT	(TEST_SLOT + 1)
#define OTHER_GPA	(TEST_GPA + SZ_1G)

static unsigned int seconds = 4;
static uint64_t seed;

static struct race {
	struct vm *vm;
	int fd;
	char *p;
	double end;
	bool with_all;		/* punches, files and looks, too */
	/* How often each page was written, and how often that is over for good. */
	u32 written[PAGES], floor[PAGES];
	/* A second file, which comes and goes. */
	int other_fd;
	u64 accesses, looks, conversions, busy, punches, lives;
} race;

static bool over(void)
{
	return over_at(race.end, race.accesses > 20 && race.conversions > 20 &&
				 (!race.with_all ||
				  (race.looks > 20 && race.punches && race.lives)));
}

static void count(u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void start_race(void)
{
	tap_diag("SEED=%lu", seed);
	race.vm = vm_create_private(CPUS);
	race.fd = gmem_add_mappable(race.vm, FILE_SIZE, SHARED_AT_FIRST);
	race.p = gmem_map(race.fd, 0, FILE_SIZE);
	race.end = now() + seconds;
}

static u64 gpa_of(u64 page)
{
	return TEST_GPA + page * PAGE_SIZE;
}

/* Through the file or through the VM. */
static int convert(struct rng *rng, u64 page, u64 npages, u64 attributes)
{
	count(&race.conversions);
	if (rng_once_in(rng, 2))
		return gmem_convert(race.fd, page * PAGE_SIZE, npages * PAGE_SIZE, attributes,
				    NULL);
	return vm_set_attributes(race.vm, gpa_of(page), npages * PAGE_SIZE, attributes);
}

/* ---- pages with an owner ------------------------------------------------------------ */

static void check_own(struct vcpu *vcpu, u64 page, bool private, u64 word)
{
	u64 value;

	MUST(guest_touch_read(vcpu, gpa_of(page), 8, 8, WORDS));
	CHECK(vcpu->mailbox->all_and == word && vcpu->mailbox->all_or == word,
	      "page %lu holds %#llx to %#llx, not %#lx", page, vcpu->mailbox->all_and,
	      vcpu->mailbox->all_or, word);
	for (u64 i = page % 7; i < WORDS; i += 37) {
		const char *p = race.p + page * PAGE_SIZE + i * 8;

		if (private) {
			CHECK(mem_is_hidden(p), "page %lu is private", page);
			continue;
		}
		CHECK_EQ(mem_read(p, &value), 0);
		CHECK(value == word, "page %lu holds %#lx for user space, not %#lx", page, value,
		      word);
	}
}

/*
 * Of each four pages one is a vCPU's own, in every run: only its thread converts it.
 * The other three are for disturb_neighbours().
 */
static void *keep_own_pages(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { seed + vcpu->id };
	u64 mine = PAGES / 4 / CPUS, n[PAGES / 4 / CPUS] = { 0 };
	bool private[PAGES / 4 / CPUS] = { false };

	while (!over()) {
		u64 i = rng_below(&rng, mine), page = (i * CPUS + vcpu->id) * 4;
		int ret;

		count(&race.accesses);
		switch (rng_below(&rng, 4)) {
		case 0:
			n[i]++;
			MUST(guest_touch_write(vcpu, gpa_of(page), 8, 8, WORDS, WORD(page, n[i])));
			break;
		case 1:
			if (private[i])
				break;
			n[i]++;
			for (u64 w = 0; w < WORDS; w++)
				CHECK_EQ(mem_write(race.p + page * PAGE_SIZE + w * 8,
						   WORD(page, n[i])), 0);
			break;
		default:
			/* Nothing is pinned: this cannot fail. */
			ret = convert(&rng, page, 1, private[i] ? 0 : PRIVATE);
			CHECK(!ret, "converting page %lu: %s", page, strerror(-ret));
			private[i] = !private[i];
		}
		check_own(vcpu, page, private[i], n[i] ? WORD(page, n[i]) : 0);
	}
	return NULL;
}

/* Others' pages: anything goes, of three pages at most. */
static void *disturb_neighbours(void *arg)
{
	struct rng rng = { seed + 50 + (u64)arg };

	while (!over()) {
		u64 page = rng_below(&rng, PAGES / 4) * 4 + 1, npages = 1 + rng_below(&rng, 3);
		u64 value;
		int ret;

		switch (rng_below(&rng, 6)) {
		case 0:
			MUST(gmem_punch(race.fd, page * PAGE_SIZE, npages * PAGE_SIZE));
			break;
		case 1:
			MUST(gmem_alloc(race.fd, page * PAGE_SIZE, npages * PAGE_SIZE));
			break;
		case 2:
			mem_read(race.p + page * PAGE_SIZE, &value);
			mem_write(race.p + page * PAGE_SIZE, 1);
			break;
		default:
			ret = convert(&rng, page, npages, rng_below(&rng, 2) ? PRIVATE : 0);
			CHECK(!ret, "converting page %lu: %s", page, strerror(-ret));
		}
	}
	return NULL;
}

/* Mappings and children that come and go, and touch what they can. */
static void *map_and_fork(void *arg)
{
	struct rng rng = { seed + 70 };
	int status;

	(void)arg;
	while (!over()) {
		char *p = gmem_map(race.fd, 0, FILE_SIZE), *q;
		pid_t pid = rng_once_in(&rng, 4) ? fork() : 1;
		u64 value;

		CHECK_OK(pid);
		for (int i = 0; i < 64; i++)
			mem_read(p + rng_below(&rng, FILE_SIZE / 8) * 8, &value);
		if (!pid)
			_exit(0);
		q = mremap(p, 0, FILE_SIZE / 2, MREMAP_MAYMOVE);
		for (int i = 0; i < 16 && q != MAP_FAILED; i++)
			mem_read(q + rng_below(&rng, FILE_SIZE / 16) * 8, &value);
		munmap(p, FILE_SIZE);
		munmap(q, FILE_SIZE / 2);
		if (pid > 1) {
			CHECK_EQ(waitpid(pid, &status, 0), pid);
			CHECK(WIFEXITED(status), "a child's status is %#x", status);
		}
	}
	return NULL;
}

static void test_owned_pages(void)
{
	pthread_t owners[CPUS], others[3];

	start_race();
	for (int i = 0; i < CPUS; i++)
		owners[i] = thread_start(keep_own_pages, &race.vm->vcpus[i]);
	others[0] = thread_start(disturb_neighbours, (void *)0);
	others[1] = thread_start(disturb_neighbours, (void *)1);
	others[2] = thread_start(map_and_fork, NULL);
	for (int i = 0; i < CPUS; i++)
		thread_join(owners[i]);
	for (int i = 0; i < 3; i++)
		thread_join(others[i]);
	tap_diag("%lu accesses, %lu conversions", race.accesses, race.conversions);
	CHECK(race.accesses > 20 && race.conversions > 20, "hardly anything happened");
}

/* ---- pages without an owner ---------------------------------------------------------- */

/* What page @page may hold after @floor writes to it were over for good. */
static void check_word(u64 page, u64 word, u32 floor, const char *who)
{
	u32 n = word, most = __atomic_load_n(&race.written[page], __ATOMIC_ACQUIRE);

	CHECK(!word || (word == WORD(page, n) && n >= floor && n <= most),
	      "%s: page %lu holds %#lx, of %u to %u", who, page, word, floor, most);
}

/*
 * A page converted between KVM's two looks at its attributes is an exit, as with any
 * guest_memfd; the access is repeated then.
 */
static void go_on(struct vcpu *vcpu, enum vm_exit exit)
{
	for (int i = 0; i < 1000 && exit == EXIT_MEMORY_FAULT && vcpu->error == EFAULT; i++)
		exit = vcpu_run(vcpu);
	MUST(exit);
}

/* vCPU @id writes every CPUS-th page, and reads all. */
static void *use_all_pages(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { seed + vcpu->id };

	while (!over()) {
		u64 page = rng_below(&rng, PAGES), value;
		u32 floor = __atomic_load_n(&race.floor[page], __ATOMIC_ACQUIRE);

		count(&race.accesses);
		if (page % CPUS == vcpu->id && rng_once_in(&rng, 2)) {
			u32 n = race.written[page] + 1;

			__atomic_store_n(&race.written[page], n, __ATOMIC_SEQ_CST);
			go_on(vcpu, guest_touch_write(vcpu, gpa_of(page), 8, 64, WORDS / 8,
						      WORD(page, n)));
		} else {
			u64 gpa = gpa_of(page) + rng_below(&rng, WORDS / 8) * 64;

			go_on(vcpu, guest_read(vcpu, gpa, 8, &value));
			check_word(page, vcpu->mailbox->result, floor, "guest");
		}
		/* The other file may be gone, its page poisoned: any exit, no stale data. */
		if (guest_read(vcpu, OTHER_GPA + page * PAGE_SIZE, 8, &value) == EXIT_DONE)
			CHECK(!value || value == WORD(page, 0), "other page %lu: %#lx", page,
			      value);
		guest_write(vcpu, OTHER_GPA + page * PAGE_SIZE, 8, WORD(page, 0));
	}
	return NULL;
}

static void *look_at_all_pages(void *arg)
{
	struct rng rng = { seed + 80 };
	char buffer[8 * 64] = "";

	(void)arg;
	while (!over()) {
		u64 page = rng_below(&rng, PAGES), value;
		u32 floor = __atomic_load_n(&race.floor[page], __ATOMIC_ACQUIRE);
		char *p = race.p + page * PAGE_SIZE;
		struct iovec to = { buffer, sizeof(buffer) }, from = { p, sizeof(buffer) };

		if (rng_once_in(&rng, 4)) {
			if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 8)
				continue;
			memcpy(&value, buffer, 8);
			/* A copy may see the middle of a write; hardly so twice. */
			if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 8 ||
			    memcmp(&value, buffer, 8))
				continue;
		} else if (mem_read(p + rng_below(&rng, WORDS / 8) * 64, &value)) {
			continue;
		}
		count(&race.looks);
		check_word(page, value, floor, "user space");
	}
	return NULL;
}

static void *convert_all_pages(void *arg)
{
	struct rng rng = { seed + 90 + (u64)arg };

	while (!over()) {
		u64 page = rng_below(&rng, PAGES);
		u64 npages = 1 + rng_below(&rng, rng_once_in(&rng, 4) ? PAGES : 8);
		int ret;

		npages = npages < PAGES - page ? npages : PAGES - page;
		ret = convert(&rng, page, npages, rng_below(&rng, 2) ? PRIVATE : 0);
		CHECK(!ret || ret == -EAGAIN, "converting: %s", strerror(-ret));
		if (ret)
			count(&race.busy);
	}
	return NULL;
}

static void *punch_pages(void *arg)
{
	struct rng rng = { seed + 110 };

	(void)arg;
	while (!over()) {
		u64 page = rng_below(&rng, PAGES - 8), npages = 1 + rng_below(&rng, 8);
		u32 before[8];

		for (u64 i = 0; i < npages; i++)
			before[i] = __atomic_load_n(&race.written[page + i], __ATOMIC_SEQ_CST);
		MUST(gmem_punch(race.fd, page * PAGE_SIZE, npages * PAGE_SIZE));
		/* The last write may have been under way; those before it were over. */
		for (u64 i = 0; i < npages; i++)
			__atomic_store_n(&race.floor[page + i], before[i], __ATOMIC_RELEASE);
		count(&race.punches);
		let_pass(500);
	}
	return NULL;
}

static void open_other(void)
{
	race.other_fd = gmem_mappable(race.vm, FILE_SIZE, PRIVATE_AT_FIRST);
	gmem_add_slot(race.vm, OTHER_SLOT, OTHER_GPA, FILE_SIZE, race.other_fd, 0);
}

/* A file's life beside the guest that uses it, its last reference anywhere. */
static void *replace_other(void *arg)
{
	struct rng rng = { seed + 120 };
	bool poison = !access(GMEM_TEST_PATH, F_OK);

	(void)arg;
	while (!over()) {
		char *p = gmem_map(race.other_fd, 0, FILE_SIZE);
		u64 value, page = rng_below(&rng, PAGES);

		for (int i = 0; i < 20; i++) {
			u64 at = rng_below(&rng, PAGES - 8);
			u64 len = (1 + rng_below(&rng, 8)) * PAGE_SIZE;

			gmem_convert(race.other_fd, at * PAGE_SIZE, len,
				     rng_once_in(&rng, 2) ? PRIVATE : 0, NULL);
			if (!mem_read(p + at * PAGE_SIZE, &value))
				CHECK(!value || value == WORD(at, 0), "other page %lu: %#lx", at,
				      value);
			mem_write(p + at * PAGE_SIZE, WORD(at, 0));
		}
		if (poison && rng_once_in(&rng, 8) && !mem_read(p + page * PAGE_SIZE, &value)) {
			poison_page(race.other_fd, page);
			CHECK(mem_read(p + page * PAGE_SIZE, &value) || !value ||
			      value == WORD(page, 0),
			      "a poisoned page shows %#lx", value);
		}
		if (rng_once_in(&rng, 2))
			vm_delete_slot(race.vm, OTHER_SLOT);
		close(race.other_fd);
		munmap(p, FILE_SIZE);
		/* Where there still is a slot, it goes now. */
		vm_set_region(race.vm, OTHER_SLOT, 0, 0, 0, NULL);
		open_other();
		count(&race.lives);
	}
	return NULL;
}

static void test_pages_of_nobody(void)
{
	static void *(*const loops[])(void *arg) = {
		convert_all_pages, convert_all_pages, punch_pages, look_at_all_pages, map_and_fork,
		replace_other,
	};
	pthread_t vcpus[CPUS], others[ARRAY_SIZE(loops)];
	u64 value;

	start_race();
	race.with_all = true;
	open_other();
	for (int i = 0; i < CPUS; i++)
		vcpus[i] = thread_start(use_all_pages, &race.vm->vcpus[i]);
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++)
		others[i] = thread_start(loops[i], (void *)i);
	for (int i = 0; i < CPUS; i++)
		thread_join(vcpus[i]);
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++)
		thread_join(others[i]);
	tap_diag("%lu accesses, %lu looks, %lu conversions (%lu busy), %lu punches, %lu files",
		 race.accesses, race.looks, race.conversions, race.busy, race.punches, race.lives);
	CHECK(race.accesses > 20 && race.looks > 20 && race.conversions > 20 && race.punches &&
	      race.lives, "hardly anything happened");

	/* All of it works. */
	for (u64 round = 1; round < 3; round++) {
		gmem_make_private(race.fd, 0, FILE_SIZE);
		CHECK(mem_read(race.p, &value) == SIGBUS, "private");
		MUST(guest_fill(&race.vm->vcpus[0], TEST_GPA, FILE_SIZE, round));
		gmem_make_shared(race.fd, 0, FILE_SIZE);
		CHECK(mem_holds(race.p, TEST_GPA, FILE_SIZE, round), "content");
	}
}

int main(int argc, char **argv)
{
	struct tap_test tests[] = {
		TAP_TEST(test_owned_pages),
		TAP_TEST(test_pages_of_nobody),
	};

	if (argc > 1)
		seconds = strtoul(argv[1], NULL, 0);
	if (argc > 2 || !seconds)
		tap_bail_out("usage: %s [SECONDS]", argv[0]);
	seed = rng_seed();
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tests[i].timeout = seconds + 120;
	return tap_main(tests, ARRAY_SIZE(tests));
}
