// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads KVM's binary statistics, see stats.h.
 */
#include "stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

u64 kvm_stat(int fd, const char *name)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	size_t size;
	u64 value;
	u32 i;

	CHECK(stats >= 0, "KVM_GET_STATS_FD: %m");
	CHECK_EQ(pread(stats, &header, sizeof(header), 0), sizeof(header));
	size = sizeof(*desc) + header.name_size;
	desc = malloc(size);
	for (i = 0; i < header.num_desc; i++) {
		CHECK_EQ(pread(stats, desc, size, header.desc_offset + i * size),
			 size);
		if (strncmp(desc->name, name, header.name_size))
			continue;
		CHECK_EQ(pread(stats, &value, sizeof(value),
			       header.data_offset + desc->offset), sizeof(value));
		free(desc);
		close(stats);
		return value;
	}
	FAIL("KVM has no counter %s", name);
}
