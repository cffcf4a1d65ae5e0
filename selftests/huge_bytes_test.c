// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every byte of a big guest, after random punches and refills: a file that is not
 * a multiple of 2 MiB long, slots that cut runs, gfns that are not congruent to
 * the file's offsets, and 4 KiB holes that are filled again until the run has been
 * promoted.
 *   huge_bytes_test [MIB]
 * SEED=N repeats a run.
 *
 * Tests: gmem/store.cc.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "rng.h"
#include "vm.h"

#define DEFAULT_MIB	128
#define TAIL_PAGES	13	/* what the file is longer than a multiple of 2 MiB */
#define ROUNDS		4
#define NR_SLOTS	4
#define RUN_PAGES	(SZ_2M / PAGE_SIZE)
#define PROMOTED_RUNS	8

static u64 mib = DEFAULT_MIB;
static uint64_t seed;

/* Where the pages [start, start + count) of the file are in the guest. */
struct place {
	u64 start, count, gpa;
};

/* The guest, and what each page of its file must hold: 0, or a pattern's seed. */
struct model {
	struct vm *vm;
	struct vcpu *vcpu;
	struct rng rng;
	int fd;
	u64 npages;
	u32 *seeds;
	u32 next_seed;
	struct place places[NR_SLOTS];
};

static u64 gpa_of(const struct model *m, u64 page)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (page - m->places[i].start < m->places[i].count)
			return m->places[i].gpa + (page - m->places[i].start) * PAGE_SIZE;
	FAIL("page %lu is nowhere", page);
}

/* The number of pages from @page on that are neighbours in the guest, @max at most. */
static u64 neighbours(const struct model *m, u64 page, u64 max)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		u64 left = m->places[i].start + m->places[i].count - page;

		if (page - m->places[i].start < m->places[i].count)
			return left < max ? left : max;
	}
	FAIL("page %lu is nowhere", page);
}

/*
 * The whole file in four slots: two that cut a run between them three pages before
 * its end but are congruent, one a page off, one that starts inside a run.
 */
static void place_slots(struct model *m)
{
	u64 third = m->npages / 3 / RUN_PAGES * RUN_PAGES;
	const u64 starts[NR_SLOTS + 1] = {
		0, third - 3, 2 * third, m->npages - RUN_PAGES - TAIL_PAGES - 7, m->npages,
	};

	for (int i = 0; i < NR_SLOTS; i++) {
		struct place *p = &m->places[i];
		u64 offset = starts[i] * PAGE_SIZE;

		*p = (struct place){ starts[i], starts[i + 1] - starts[i],
				     TEST_GPA + i * 4 * SZ_1G + offset };
		if (i == 2)
			p->gpa += PAGE_SIZE;
		vm_add_slot(m->vm, TEST_SLOT + i, p->gpa, p->count * PAGE_SIZE, m->fd, offset);
		vm_make_private(m->vm, p->gpa, p->count * PAGE_SIZE);
	}
}

static struct model *model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	m->rng.state = seed;
	m->npages = mib * SZ_1M / PAGE_SIZE + TAIL_PAGES;
	m->seeds = calloc(m->npages, sizeof(*m->seeds));
	m->vm = vm_create_private(1);
	m->vcpu = &m->vm->vcpus[0];
	m->fd = vm_gmem(m->vm, m->npages * PAGE_SIZE);
	place_slots(m);
	tap_diag("SEED=%lu, %lu MiB", seed, mib);
	return m;
}

/* New content by the guest. */
static void fill(struct model *m, u64 page, u64 count)
{
	m->next_seed++;
	while (count) {
		u64 n = neighbours(m, page, count);

		MUST(guest_fill(m->vcpu, gpa_of(m, page), n * PAGE_SIZE, m->next_seed));
		for (u64 i = 0; i < n; i++)
			m->seeds[page + i] = m->next_seed;
		page += n;
		count -= n;
	}
}

static void punch(struct model *m, u64 page, u64 count)
{
	MUST(gmem_punch(m->fd, page * PAGE_SIZE, count * PAGE_SIZE));
	memset(m->seeds + page, 0, count * sizeof(*m->seeds));
}

/* Every byte of the file. */
static void check_all(struct model *m)
{
	for (u64 page = 0, n; page < m->npages; page += n) {
		u64 max = neighbours(m, page, m->npages);
		u64 gpa = gpa_of(m, page);

		for (n = 1; n < max && m->seeds[page + n] == m->seeds[page]; n++)
			;
		if (m->seeds[page])
			MUST(guest_check(m->vcpu, gpa, n * PAGE_SIZE, m->seeds[page]));
		else
			MUST(guest_check_zero(m->vcpu, gpa, n * PAGE_SIZE));
	}
}

/* A random range: a page, some, an aligned run, some runs, a good part of all. */
static u64 pick(struct model *m, u64 *page)
{
	const u64 sizes[] = { 1, 1 + rng_below(&m->rng, 8), RUN_PAGES,
			      rng_below(&m->rng, 3 * RUN_PAGES) + 1,
			      rng_below(&m->rng, m->npages / 8) + 1 };
	u64 kind = rng_below(&m->rng, ARRAY_SIZE(sizes)), count = sizes[kind];

	*page = rng_below(&m->rng, m->npages);
	if (kind == 2)
		*page -= *page % RUN_PAGES;
	return count < m->npages - *page ? count : m->npages - *page;
}

static bool gmem_serves(void)
{
	return gmem_total("pages") >= 0;
}

/* The file, fdinfo and the totals count the same pages. */
static void check_counters(struct model *m, long total_before)
{
	long pages = gmem_counter(m->fd, "gmem_pages");
	long runs = gmem_counter(m->fd, "gmem_runs_2m");
	struct stat st;

	if (!gmem_serves())
		return;
	CHECK_OK(fstat(m->fd, &st));
	CHECK_EQ(st.st_blocks, pages * 8);
	CHECK_EQ(gmem_total("pages") - total_before, pages);
	CHECK(runs >= 0 && (u64)runs * RUN_PAGES <= (u64)pages, "%ld runs, %ld pages", runs, pages);
}

static void test_random_punches_and_refills(void)
{
	long before = gmem_total("pages");
	struct model *m = model_new();
	u64 page, count;

	fill(m, 0, m->npages);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 48; i++) {
			count = pick(m, &page);
			if (rng_below(&m->rng, 5) < 3)
				punch(m, page, count);
			else if (rng_once_in(&m->rng, 4))
				MUST(gmem_alloc(m->fd, page * PAGE_SIZE, count * PAGE_SIZE));
			else
				fill(m, page, count);
		}
		check_counters(m, before);
		check_all(m);
		/* All of it is there now. */
		check_counters(m, before);
		if (gmem_serves())
			CHECK(gmem_counter(m->fd, "gmem_pages") == (long)m->npages,
			      "%ld pages of %lu", gmem_counter(m->fd, "gmem_pages"), m->npages);
	}
	punch(m, 0, m->npages);
	if (gmem_serves())
		CHECK_EQ(gmem_counter(m->fd, "gmem_pages"), 0);
	check_all(m);
	close(m->fd);
	if (gmem_serves())
		CHECK_EQ(gmem_total("pages"), before);
}

/* Not the run of a slot's edge, and in a slot that can show it huge. */
static u64 promotable_run(int i)
{
	return (1 + i) * RUN_PAGES;
}

/*
 * A run that lost pages and got others is moved into one block, with what the
 * guest has written; all the while it reads it.
 */
static void test_promotion_keeps_every_byte(void)
{
	struct model *m;
	const double end = now() + PATIENCE;
	long before, want, done;

	if (!gmem_huge())
		tap_skip("no huge pages");
	m = model_new();
	fill(m, 0, m->npages);
	before = gmem_counter(m->fd, "gmem_promotions");
	for (int i = 0; i < PROMOTED_RUNS; i++)
		for (int k = 0; k < 5; k++)
			punch(m, promotable_run(i) + rng_below(&m->rng, RUN_PAGES), 1);
	CHECK_EQ(gmem_counter(m->fd, "gmem_promotions"), before);
	for (int i = 0; i < PROMOTED_RUNS; i++)
		for (u64 page = promotable_run(i); page < promotable_run(i) + RUN_PAGES; page++)
			if (!m->seeds[page])
				fill(m, page, 1);
	want = before + PROMOTED_RUNS;
	while ((done = gmem_counter(m->fd, "gmem_promotions")) < want) {
		CHECK(now() < end, "%ld promotions of %d", done - before, PROMOTED_RUNS);
		MUST(guest_check(m->vcpu, gpa_of(m, RUN_PAGES), PAGE_SIZE, m->seeds[RUN_PAGES]));
		let_pass(100000);
	}
	check_all(m);
	/* Written to where it lies now. */
	fill(m, promotable_run(0), PROMOTED_RUNS * RUN_PAGES);
	check_all(m);
	CHECK_EQ(gmem_counter(m->fd, "gmem_pages"), m->npages);
	punch(m, promotable_run(0), PROMOTED_RUNS * RUN_PAGES);
	check_all(m);
}

/* Holes of one page all over, filled in another order; then read at once. */
static void test_scattered_holes(void)
{
	struct model *m = model_new();

	fill(m, 0, m->npages);
	for (u64 page = 0; page < m->npages; page += 1 + rng_below(&m->rng, 400))
		punch(m, page, 1);
	for (u64 page = m->npages; page--;)
		if (!m->seeds[page] && rng_below(&m->rng, 4))
			fill(m, page, 1);
	check_all(m);
	let_pass(1000000);	/* promotions, if any */
	check_all(m);
}

int main(int argc, char **argv)
{
	struct tap_test tests[] = {
		TAP_TEST(test_random_punches_and_refills),
		TAP_TEST(test_promotion_keeps_every_byte),
		TAP_TEST(test_scattered_holes),
	};

	if (argc > 1)
		mib = strtoull(argv[1], NULL, 0);
	if (argc > 2 || mib < 64)
		tap_bail_out("usage: %s [MIB], at least 64", argv[0]);
	seed = rng_seed();
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tests[i].timeout = 120 + mib;
	return tap_main(tests, ARRAY_SIZE(tests));
}
