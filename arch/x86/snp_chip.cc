// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor of the SNP model (snp_chip.h), and what debugfs shows of it.
 */
#include "arch/x86/snp_chip.h"

#include <algorithm>

#include "arch/x86/show.h"
#include "gmem/guard.h"
#include "kapi/kapi.h"

namespace gmem
{

namespace
{

constinit SnpChip the_chip;
constinit bool is_made;

} /* namespace */

Status SnpChip::make()
{
	constexpr std::size_t kRandom = 16;
	const Result<P384Key> key = p384_make_key();

	if (!key.ok())
		return key.status();
	vcek = key.value();
	std::copy_n(kName, sizeof(kName) - 1, id.begin());
	kapi_random(id.end() - kRandom, kRandom);
	kapi_random(root.data(), root.size());
	return Status{};
}

const SnpChip *SnpChip::get()
{
	if (!is_made) {
		if (!the_chip.make().ok())
			return nullptr;
		is_made = true;
	}
	return &the_chip;
}

} /* namespace gmem */

void gmem_snp_vcek_show(void *seq)
{
	using namespace gmem;
	OnlyGuard<kapi_platforms_lock, kapi_platforms_unlock> guard;
	const SnpChip *const chip = SnpChip::get();

	if (!chip)
		return;
	kapi_seq_print(seq, "x ");
	print_hex(seq, chip->vcek.point.x);
	kapi_seq_print(seq, "\ny ");
	print_hex(seq, chip->vcek.point.y);
	kapi_seq_print(seq, "\nchip_id ");
	print_hex(seq, chip->id);
	kapi_seq_print(seq, "\ntcb %#018llx\n", static_cast<unsigned long long>(SnpChip::kTcb));
}
