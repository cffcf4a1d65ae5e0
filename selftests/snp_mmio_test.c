// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that knows SNP, and that has devices' memory accessed for it by its GHCB, next to
 * accesses of its own that KVM emulates: what KVM keeps of one must not count for the other.
 *
 * Tests: guest/events.cc, kapi/ghcb.c.
 */
#include <string.h>

#include "ghcb.h"
#include "guest.h"

static u64 read_by_ghcb(struct ghcb_guest *guest, u64 answer)
{
	u64 value;

	ghcb_prepare(guest, MMIO_READ, NOWHERE, 4);
	ghcb_set(guest, SCRATCH, BUFFER);
	ghcb_must_exit(guest, KVM_EXIT_MMIO);
	CHECK_EQ(guest->vcpu->is_write, 0);
	vcpu_mmio_answer(guest->vcpu, answer);
	ghcb_must_go_on(guest, 0, 0);
	memcpy(&value, guest->ghcb + BUFFER - GHCB, sizeof(value));
	return value;
}

static void write_by_ghcb(struct ghcb_guest *guest, u64 value)
{
	ghcb_prepare(guest, MMIO_WRITE, NOWHERE, 4);
	ghcb_set(guest, SCRATCH, BUFFER);
	memcpy(guest->ghcb + BUFFER - GHCB, &value, sizeof(value));
	ghcb_must_exit(guest, KVM_EXIT_MMIO);
	CHECK_EQ(guest->vcpu->is_write, 1);
	CHECK_EQ(guest->vcpu->data, value);
	/* What user space leaves there is no answer to a write. */
	*(u64 *)guest->vcpu->run->mmio.data = 0x99999999;
	ghcb_must_go_on(guest, 0, 0);
	CHECK_EQ(memcmp(guest->ghcb + BUFFER - GHCB, &value, sizeof(value)), 0);
}

static void write_itself(struct ghcb_guest *guest)
{
	CHECK_EQ(guest_write(guest->vcpu, NOWHERE, 4, 0x77777777), EXIT_MMIO);
	CHECK_EQ(guest->vcpu->is_write, 1);
	MUST(vcpu_run(guest->vcpu));
}

static void read_itself(struct ghcb_guest *guest, u64 answer)
{
	u64 value;

	CHECK_EQ(guest_read(guest->vcpu, NOWHERE, 4, &value), EXIT_MMIO);
	CHECK_EQ(guest->vcpu->is_write, 0);
	vcpu_mmio_answer(guest->vcpu, answer);
	MUST(vcpu_run(guest->vcpu));
	CHECK_EQ(guest->vcpu->mailbox->result, answer);
}

static void test_read_after_write(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	CHECK_EQ(read_by_ghcb(&guest, 0x12345678), 0x12345678);
	write_itself(&guest);
	CHECK_EQ(read_by_ghcb(&guest, 0x23456789), 0x23456789);
	write_by_ghcb(&guest, 0x3456789a);
	CHECK_EQ(read_by_ghcb(&guest, 0x456789ab), 0x456789ab);
}

static void test_write_after_read(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	read_itself(&guest, 0x11111111);
	write_by_ghcb(&guest, 0x12345678);
	read_itself(&guest, 0x22222222);
	write_itself(&guest);
	write_by_ghcb(&guest, 0x23456789);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_read_after_write),
		TAP_TEST(test_write_after_read),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
