// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random sequences through real ioctls against a small model of what every page
 * holds; then vCPUs that fault while threads punch, convert and rebind, each vCPU
 * knowing what may be in its pages.
 *   soak_test [SECONDS]
 * SEED=N repeats the first test's sequence.
 *
 * Tests: gmem/store.cc, mmu/memslot.cc.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "rng.h"
#include "vm.h"

#define PAGES		1301	/* of each file: two runs and a piece */
#define NR_FILES	2
#define WORDS		512

static unsigned int seconds = 5;
static uint64_t seed;

/* The model: each page holds one word all over, 0 when it is new. */
struct file {
	int fd;
	bool bound;
	u64 gpa;	/* of page 0; other offsets cut runs */
	u64 word[PAGES];
	bool touched[PAGES / 512 + 1];	/* a run of which some page has content */
	bool populated[PAGES];
};

struct model {
	struct rng rng;
	struct vm *vm;
	struct vcpu *vcpu;
	struct file files[NR_FILES];
	void *hva[NR_FILES];
	u64 shared[NR_FILES][PAGES];
	bool is_shared[NR_FILES][PAGES];
	u64 last_word;
};

static void model_bind(struct model *m, int i)
{
	struct file *f = &m->files[i];

	MUST(vm_set_region2(m->vm, TEST_SLOT + i, KVM_MEM_GUEST_MEMFD, f->gpa,
			    PAGES * PAGE_SIZE, m->hva[i], f->fd, 0));
	f->bound = true;
}

static void model_unbind(struct model *m, int i)
{
	if (m->files[i].bound)
		vm_delete_slot(m->vm, TEST_SLOT + i);
	m->files[i].bound = false;
}

static void model_create(struct model *m, int i)
{
	struct file *f = &m->files[i];
	u64 gpa = f->gpa;

	*f = (struct file){ .fd = vm_gmem(m->vm, PAGES * PAGE_SIZE), .gpa = gpa };
	model_bind(m, i);
}

static void model_start(struct model *m)
{
	m->vm = vm_create_private(1);
	m->vcpu = &m->vm->vcpus[0];
	memset(m->shared, 0, sizeof(m->shared));
	memset(m->is_shared, 0, sizeof(m->is_shared));
	for (int i = 0; i < NR_FILES; i++) {
		/* The second is not congruent to its file's offsets. */
		m->files[i].gpa = TEST_GPA + i * (SZ_1G + PAGE_SIZE);
		m->hva[i] = vm_reserve(m->files[i].gpa, PAGES * PAGE_SIZE);
		vm_make_private(m->vm, m->files[i].gpa, PAGES * PAGE_SIZE);
		model_create(m, i);
	}
}

static void model_end(struct model *m)
{
	for (int i = 0; i < NR_FILES; i++)
		close(m->files[i].fd);
	vm_free(m->vm);
	for (int i = 0; i < NR_FILES; i++)
		vm_unreserve(m->hva[i], PAGES * PAGE_SIZE);
}

static u64 *content(struct model *m, int i, u64 page)
{
	return m->is_shared[i][page] ? &m->shared[i][page] : &m->files[i].word[page];
}

static void model_write(struct model *m, int i, u64 page, u64 count)
{
	for (; count--; page++) {
		*content(m, i, page) = ++m->last_word;
		if (!m->is_shared[i][page])
			m->files[i].touched[page / 512] = true;
		MUST(guest_touch_write(m->vcpu, m->files[i].gpa + page * PAGE_SIZE, 8, 8, WORDS,
				       m->last_word));
	}
}

static void model_check(struct model *m, int i, u64 page, u64 count)
{
	const struct mailbox *mb = m->vcpu->mailbox;

	for (; count--; page++) {
		u64 want = *content(m, i, page);

		MUST(guest_touch_read(m->vcpu, m->files[i].gpa + page * PAGE_SIZE, 8, 8, WORDS));
		if (!m->is_shared[i][page])
			m->files[i].touched[page / 512] = true;
		CHECK(mb->all_and == want && mb->all_or == want,
		      "file %d page %lu (%s): and %#llx or %#llx, not %#lx", i, page,
		      m->is_shared[i][page] ? "shared" : "private", mb->all_and, mb->all_or,
		      want);
	}
}

static void model_punch(struct model *m, int i, u64 page, u64 count)
{
	MUST(gmem_punch(m->files[i].fd, page * PAGE_SIZE, count * PAGE_SIZE));
	memset(&m->files[i].word[page], 0, count * sizeof(u64));
	memset(&m->files[i].populated[page], 0, count * sizeof(bool));
}

static void model_convert(struct model *m, int i, u64 page, u64 count, bool shared)
{
	u64 gpa = m->files[i].gpa + page * PAGE_SIZE;

	if (shared)
		vm_make_shared(m->vm, gpa, count * PAGE_SIZE);
	else
		vm_make_private(m->vm, gpa, count * PAGE_SIZE);
	for (u64 p = page; p < page + count; p++)
		m->is_shared[i][p] = shared;
}

/* One page. Whether a page beside a touched one can be populated is policy. */
static void model_populate(struct model *m, int i, u64 page)
{
	static u64 source[WORDS] __attribute__((aligned(4096)));
	struct file *f = &m->files[i];
	struct gmem_test_populate req = {
		.gfn = f->gpa / PAGE_SIZE + page, .source = (u64)source, .npages = 1,
		.fail_gfn = ~0ULL, .vm_fd = m->vm->fd,
	};
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return;
	for (int w = 0; w < WORDS; w++)
		source[w] = m->last_word + 1;
	m->last_word++;
	ret = ioctl(fd, GMEM_TEST_POPULATE, &req);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	if (m->is_shared[i][page])
		CHECK_EQ(ret, -EINVAL);
	else if (f->populated[page])
		CHECK_EQ(ret, -EEXIST);
	else if (!f->touched[page / 512])
		CHECK_EQ(ret, 1);
	else
		CHECK(ret == 1 || ret == -EEXIST, "populate: %s", strerror(-ret));
	if (ret == 1) {
		f->word[page] = m->last_word;
		f->populated[page] = true;
	}
}

static void model_step(struct model *m)
{
	int i = rng_below(&m->rng, NR_FILES);
	struct file *f = &m->files[i];
	u64 page = rng_below(&m->rng, PAGES);
	u64 count = 1 + rng_below(&m->rng, rng_once_in(&m->rng, 8) ? PAGES : 6);

	count = count < PAGES - page ? count : PAGES - page;
	switch (rng_below(&m->rng, 40)) {
	case 0:
		model_unbind(m, i);
		break;
	case 1:
		close(f->fd);
		/* Its slot shows nothing until the VM is told. */
		model_unbind(m, i);
		model_create(m, i);
		break;
	case 2:
		if (rng_once_in(&m->rng, 4)) {
			model_end(m);
			model_start(m);
		}
		break;
	case 3 ... 9:
		model_punch(m, i, page, count);
		break;
	case 10 ... 14:
		MUST(gmem_alloc(f->fd, page * PAGE_SIZE, count * PAGE_SIZE));
		break;
	case 15 ... 19:
		model_convert(m, i, page, count, rng_once_in(&m->rng, 2));
		break;
	case 20 ... 23:
		if (f->bound)
			model_populate(m, i, page);
		break;
	case 24 ... 31:
		if (!f->bound)
			model_bind(m, i);
		model_write(m, i, page, count);
		break;
	default:
		if (!f->bound)
			model_bind(m, i);
		model_check(m, i, page, count);
	}
}

static void test_model(void)
{
	struct model *m = calloc(1, sizeof(*m));
	double end = now() + seconds;
	u64 steps = 0;

	tap_diag("SEED=%lu", seed);
	m->rng.state = seed;
	model_start(m);
	for (; now() < end; steps++)
		model_step(m);
	for (int i = 0; i < NR_FILES; i++) {
		if (!m->files[i].bound)
			model_bind(m, i);
		model_check(m, i, 0, PAGES);
	}
	model_end(m);
	tap_diag("%lu steps", steps);
}

/*
 * Concurrency. A word written tells its page and how many writes to it came
 * before. Of four pages one is never punched, and holds the last word written
 * alone; no page shows what was written before a punch that is over.
 */
#define CPUS		2
#define RACE_PAGES	1024UL
#define WORD(page, n)	(0x5a00000000000000ULL | (u64)(page) << 32 | (n))

struct race {
	struct vm *vm;
	int fd;
	void *hva;
	u32 written[RACE_PAGES], floor[RACE_PAGES];
	/* The second file's slot comes and goes, and its pages are converted. */
	int other_fd;
	u64 accesses[CPUS], punches, changes;
	double end;
};

#define OTHER_GPA	(TEST_GPA + SZ_1G)
#define OTHER_SLOT	(TEST_SLOT + 1)

static struct race race;

static bool is_stable(u64 page)
{
	return page % 4 == 0;
}

static void race_check(struct vcpu *vcpu, u64 page)
{
	u64 words[256], gpa = TEST_GPA + page * PAGE_SIZE;
	u32 floor = __atomic_load_n(&race.floor[page], __ATOMIC_ACQUIRE);

	for (int part = 0; part < 2; part++) {
		MUST(guest_load_bytes(vcpu, gpa + part * sizeof(words), words, sizeof(words), 8));
		for (int i = 0; i < 256; i++) {
			u64 word = words[i];
			u32 n = word;

			if (is_stable(page) || word)
				CHECK(!race.written[page] ? !word : word == WORD(page, n) &&
				      n <= race.written[page] && n >= floor,
				      "page %lu holds %#lx, floor %u, last %u", page, word, floor,
				      race.written[page]);
			if (is_stable(page) && race.written[page])
				CHECK_EQ(n, race.written[page]);
		}
	}
}

static bool race_is_over(void)
{
	return over_at(race.end, race.accesses[0] && race.accesses[1] && race.punches &&
				 race.changes);
}

static void *race_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { seed + vcpu->id };
	u64 page, value;

	while (!race_is_over()) {
		/* Every run has pages of both. */
		page = rng_below(&rng, RACE_PAGES / CPUS / 4) * 4 * CPUS + vcpu->id * 4 +
		       rng_below(&rng, 4);
		race.accesses[vcpu->id]++;
		if (rng_once_in(&rng, 2)) {
			u32 n = race.written[page] + 1;

			__atomic_store_n(&race.written[page], n, __ATOMIC_SEQ_CST);
			MUST(guest_touch_write(vcpu, TEST_GPA + page * PAGE_SIZE, 8, 8, WORDS,
					       WORD(page, n)));
		} else {
			race_check(vcpu, page);
		}
		/* This one may end in any exit, but shows only what belongs there. */
		if (guest_read(vcpu, OTHER_GPA + page * PAGE_SIZE, 8, &value) == EXIT_DONE)
			CHECK(!value || value == WORD(page, 0), "other page %lu: %#lx", page,
			      value);
		if (guest_write(vcpu, OTHER_GPA + page * PAGE_SIZE, 8, WORD(page, 0)))
			continue;
	}
	return NULL;
}

static void *race_puncher(void *arg)
{
	struct rng rng = { seed + 100 };

	(void)arg;
	while (!race_is_over()) {
		u64 page = rng_below(&rng, RACE_PAGES / 4) * 4 + 1, count = 1 + rng_below(&rng, 3);
		u32 before[3];

		for (u64 i = 0; i < count; i++)
			before[i] = __atomic_load_n(&race.written[page + i], __ATOMIC_SEQ_CST);
		MUST(gmem_punch(race.fd, page * PAGE_SIZE, count * PAGE_SIZE));
		/* The last write may have been under way; those before it were over. */
		for (u64 i = 0; i < count; i++)
			__atomic_store_n(&race.floor[page + i], before[i], __ATOMIC_RELEASE);
		race.punches++;
		/* Now and then runs come to be whole, and are promoted. */
		let_pass(rng_once_in(&rng, 64) ? 200000 : 300);
	}
	return NULL;
}

static void *race_changer(void *arg)
{
	struct rng rng = { seed + 200 };
	void *hva = arg;

	while (!race_is_over()) {
		u64 page = rng_below(&rng, RACE_PAGES - 8), count = 1 + rng_below(&rng, 8);
		u64 gpa = OTHER_GPA + page * PAGE_SIZE;

		switch (rng_below(&rng, 12)) {
		case 0:
			vm_delete_slot(race.vm, OTHER_SLOT);
			/* Sometimes by a new file, whose predecessor goes. */
			if (rng_once_in(&rng, 2)) {
				close(race.other_fd);
				race.other_fd = vm_gmem(race.vm, RACE_PAGES * PAGE_SIZE);
			}
			MUST(vm_set_region2(race.vm, OTHER_SLOT, KVM_MEM_GUEST_MEMFD, OTHER_GPA,
					    RACE_PAGES * PAGE_SIZE, hva, race.other_fd, 0));
			break;
		case 1 ... 3:
			MUST(gmem_punch(race.other_fd, page * PAGE_SIZE, count * PAGE_SIZE));
			break;
		case 4:
			vm_make_private(race.vm, OTHER_GPA, RACE_PAGES * PAGE_SIZE);
			break;
		case 5 ... 7:
			vm_make_shared(race.vm, gpa, count * PAGE_SIZE);
			break;
		default:
			vm_make_private(race.vm, gpa, count * PAGE_SIZE);
		}
		race.changes++;
		let_pass(1000);
	}
	return NULL;
}

static void test_faults_against_changes(void)
{
	pthread_t threads[CPUS + 2];
	void *hva;

	race.vm = vm_create_private(CPUS);
	race.fd = vm_add_private(race.vm, RACE_PAGES * PAGE_SIZE);
	race.other_fd = vm_gmem(race.vm, RACE_PAGES * PAGE_SIZE);
	hva = vm_add_slot(race.vm, OTHER_SLOT, OTHER_GPA, RACE_PAGES * PAGE_SIZE, race.other_fd, 0);
	vm_make_private(race.vm, OTHER_GPA, RACE_PAGES * PAGE_SIZE);
	race.end = now() + seconds;
	for (int i = 0; i < CPUS; i++)
		threads[i] = thread_start(race_vcpu, &race.vm->vcpus[i]);
	threads[CPUS] = thread_start(race_puncher, NULL);
	threads[CPUS + 1] = thread_start(race_changer, hva);
	for (int i = 0; i < CPUS + 2; i++)
		thread_join(threads[i]);
	tap_diag("%lu + %lu accesses, %lu punches, %lu other changes", race.accesses[0],
		 race.accesses[1], race.punches, race.changes);
	CHECK(race.accesses[0] && race.accesses[1] && race.punches && race.changes,
	      "a thread did nothing");
	for (u64 page = 0; page < RACE_PAGES; page++)
		race_check(&race.vm->vcpus[0], page);
}

int main(int argc, char **argv)
{
	struct tap_test tests[] = {
		TAP_TEST(test_model),
		TAP_TEST(test_faults_against_changes),
	};

	if (argc > 1)
		seconds = atoi(argv[1]);
	if (argc > 2 || !seconds)
		tap_bail_out("usage: %s [SECONDS]", argv[0]);
	seed = rng_seed();
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tests[i].timeout = seconds + 180;
	return tap_main(tests, ARRAY_SIZE(tests));
}
