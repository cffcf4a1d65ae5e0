// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the position of the C-bit that QEMU's sev-snp-guest must be told here: what this
 * processor says of it, or whatever it says where it has no such leaf, for QEMU compares
 * just that.
 */
#include <cpuid.h>
#include <stdio.h>

int main(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid_count(0x8000001f, 0, eax, ebx, ecx, edx);
	printf("%u\n", ebx & 0x3f);
	return 0;
}
