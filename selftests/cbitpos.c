// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the position of the C-bit that QEMU's sev-snp-guest must be told here: what CPUID
 * says of it. A processor without such a leaf answers something else. QEMU compares with
 * just that answer.
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
