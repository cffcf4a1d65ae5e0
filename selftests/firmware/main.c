// SPDX-License-Identifier: GPL-2.0-only
/*
 * A firmware for QEMU that does nothing but look whether its memory is what that
 * of an SNP guest has to be, says so on the serial port, and ends QEMU by isa-debug-exit. In
 * a guest that is none it looks at what there is without SNP.
 *
 *   -fw_cfg name=opt/gmem/checks,string=memory   only that memory is zero and can be written
 *   -fw_cfg name=opt/gmem/end,string=key         it waits for a key before it ends
 */
#include "clocks.h"
#include "console.h"
#include "fw_cfg.h"
#include "layout.h"
#include "memory.h"
#include "processor.h"
#include "smp.h"

#define BLOCK		(2 * MIB)
#define ROUNDS		8

/* All of memory, a page after the other. */
static void check_memory(void)
{
	uint64_t end = memory_end();

	print("firmware: ");
	print_number(end / MIB);
	print(" MiB, ");
	print_number(cpus());
	print(is_snp_guest() ? " processors, an SNP guest\n" : " processors, no SNP guest\n");
	check("memory is zero at first", zero(FREE_MEMORY, end));
	fill(FREE_MEMORY, end, 1);
	check("memory keeps what is written", filled(FREE_MEMORY, end, 1));
}

/* What KVM does for the guest, it does in the guest's memory. */
static void check_strings(void)
{
	uint32_t signature = 0;

	fw_cfg_read(FW_CFG_SIGNATURE, &signature, sizeof(signature));
	check("string input arrives in memory", signature == 0x554d4551);
}

/* The pages of a launch that are not the image's. */
static void check_launched_pages(void)
{
	volatile uint32_t *count = (uint32_t *)CPUID_TABLE;

	check("the CPUID page has a table", *count > 0 && *count <= 64);
}

/* [from, to) is shared, then private again, and nothing of it is left by either. */
static bool converts(uint64_t from, uint64_t to, uint64_t seed)
{
	uint64_t pages = (to - from) / PAGE;

	fill(from, to, seed);
	if (convert(from, pages, SHARED) || !zero(from, to))
		return false;
	fill(from, to, ~seed);
	if (!filled(from, to, ~seed) || convert(from, pages, PRIVATE) || !zero(from, to))
		return false;
	fill(from, to, seed);
	return filled(from, to, seed);
}

static void check_conversion(void)
{
	uint64_t block = 16 * MIB, page = block + 5 * PAGE, seam = block + BLOCK;

	fill(block, block + 2 * BLOCK, 2);
	check("a page is zero after each conversion", converts(page, page + PAGE, 3));
	check("its neighbours are as before",
	      filled(block, page, 2) && filled(page + PAGE, block + 2 * BLOCK, 2));
	check("so are pages of two blocks", converts(seam - 3 * PAGE, seam + 4 * PAGE, 4));
	check("so is a block", converts(block, block + BLOCK, 5));
	check("and what lies behind", filled(seam + 4 * PAGE, seam + BLOCK, 2));
	check("what is private already stays",
	      !convert(block, 1, PRIVATE) && filled(block, block + PAGE, 5));
}

static void check_refusals(void)
{
	uint64_t page = 16 * MIB;

	check("no page is refused", convert(page, 0, SHARED) == NOT_VALID);
	check("half a page is refused", convert(page + 8, 1, SHARED) == NOT_VALID);
	check("a range past the end of addresses is refused",
	      convert(page, ~0ull, SHARED) == NOT_VALID);
	check("and nothing has become of it", filled(page, page + PAGE, 5));
}

/* A device reads and writes shared memory. It neither sees nor changes private memory. */
static void check_dma(void)
{
	uint64_t shared = 24 * MIB, own = shared + PAGE;
	volatile uint32_t *shared_word = (uint32_t *)(shared + 64);

	if (!fw_cfg_has_dma() || convert(shared, 1, SHARED))
		return;
	fill(own, own + PAGE, 6);
	check("a device writes to a shared page",
	      fw_cfg_dma(FW_CFG_SIGNATURE, shared, shared + 64, 4) && *shared_word == 0x554d4551);
	check("and not to a private one",
	      fw_cfg_dma(FW_CFG_SIGNATURE, shared, own, 4) && filled(own, own + PAGE, 6));
	check("nor does it read one", !fw_cfg_dma(FW_CFG_SIGNATURE, own, shared + 64, 4));
	convert(shared, 1, PRIVATE);
}

static unsigned int failed_elsewhere;

/* Each processor has a block of its own. */
static void convert_at_once(unsigned int cpu)
{
	uint64_t block = 32 * MIB + cpu * BLOCK;
	unsigned int round, failures = 0;

	for (round = 0; round < ROUNDS; round++) {
		uint64_t from = block + round * 7 * PAGE;

		failures += !converts(from, from + (round + 1) * PAGE, cpu << 8 | round);
	}
	__atomic_fetch_add(&failed_elsewhere, failures, __ATOMIC_RELAXED);
}

/* Without conversion: memory only. */
static void write_at_once(unsigned int cpu)
{
	uint64_t block = 32 * MIB + cpu * BLOCK;

	fill(block, block + BLOCK, cpu);
	__atomic_fetch_add(&failed_elsewhere, !filled(block, block + BLOCK, cpu), __ATOMIC_RELAXED);
}

static void check_others(void)
{
	if (cpus() == 1)
		return;
	on_all_others(is_snp_guest() ? convert_at_once : write_at_once);
	check("the other processors found nothing wrong", !failed_elsewhere);
}

/* All but that of memory. */
static void check_the_rest(void)
{
	check_strings();
	check_clocks();
	if (is_snp_guest()) {
		check_launched_pages();
		check_conversion();
		check_refusals();
		check_dma();
	}
	check_others();
}

void firmware(void) __attribute__((noreturn));
void firmware(void)
{
	catch_exceptions();
	check_memory();
	if (!fw_cfg_says("opt/gmem/checks", "memory"))
		check_the_rest();
	print("firmware: ");
	print_number(checks() - checks_failed());
	print(" passed, ");
	print_number(checks_failed());
	print(" failed\n");
	if (fw_cfg_says("opt/gmem/end", "key"))
		await_key();
	end(checks_failed() ? A_CHECK_FAILED : ALL_PASSED);
}
