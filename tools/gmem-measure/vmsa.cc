// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save areas (vmsa.h). The layout is struct sev_es_save_area of Linux (asm/svm.h);
 * the values are those of a processor at reset, with what KVM adds to run it.
 */
#include "tools/gmem-measure/vmsa.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "tools/gmem-measure/refused.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

constexpr std::uint64_t kResetPat = 0x0007040600070406;

constexpr Vmm kQemu{ .name = "qemu",
		     .cs_first = 0x9b,
		     .cs_others = 0x9b,
		     .ss = 0x93,
		     .tr = 0x8b,
		     .signature_in_rdx = true,
		     .rdx = 0,
		     .g_pat = kResetPat,
		     .mxcsr = 0x1f80,
		     .fcw = 0x37f,
		     .sec_memory = gmem::SnpPageType::Zero,
		     .cpuid_last = false,
		     .hashes_kernels = true,
		     .adds_unknown = true,
		     .wants_reset_eip = true,
		     .resets_fpus = true };

/* Without XSAVE QEMU 11.1 resets the FPU of the first processor alone; 10.0 those of all. */
constexpr Vmm qemu_without_xsave()
{
	Vmm vmm = kQemu;

	vmm.name = "qemu-11-no-xsave";
	vmm.resets_fpus = false;
	return vmm;
}

constexpr Vmm kVmms[] = {
	kQemu,
	qemu_without_xsave(),
	{ .name = "ec2",
	  .cs_first = 0x9a,
	  .cs_others = 0x9b,
	  .ss = 0x92,
	  .tr = 0x83,
	  .signature_in_rdx = false,
	  .rdx = 0,
	  .g_pat = kResetPat,
	  .mxcsr = 0,
	  .fcw = 0,
	  .sec_memory = gmem::SnpPageType::Zero,
	  .cpuid_last = true,
	  .hashes_kernels = true,
	  .adds_unknown = false,
	  .wants_reset_eip = false,
	  .resets_fpus = true },
	{ .name = "gce",
	  .cs_first = 0x9b,
	  .cs_others = 0x9b,
	  .ss = 0x93,
	  .tr = 0x8b,
	  .signature_in_rdx = false,
	  .rdx = 0x600,
	  .g_pat = 0x70106,
	  .mxcsr = 0,
	  .fcw = 0,
	  .sec_memory = gmem::SnpPageType::Unmeasured,
	  .cpuid_last = false,
	  .hashes_kernels = false,
	  .adds_unknown = false,
	  .wants_reset_eip = false,
	  .resets_fpus = true },
};

/* As the first leaf of CPUID has it: AMD's families from 15 on are 15 and the rest. */
constexpr std::uint32_t signature(unsigned family, unsigned model, unsigned stepping)
{
	const unsigned low = family < 15 ? family : 15;

	return (family - low) << 20 | (model >> 4) << 16 | low << 8 | (model & 15) << 4 | stepping;
}

struct VcpuType {
	const char *name; /* all versions of a model, "-vN", are alike */
	std::uint32_t signature;
};

constexpr VcpuType kVcpuTypes[] = {
	{ "EPYC", signature(23, 1, 2) },	{ "EPYC-IBPB", signature(23, 1, 2) },
	{ "EPYC-Rome", signature(23, 49, 0) },	{ "EPYC-Milan", signature(25, 1, 1) },
	{ "EPYC-Genoa", signature(25, 17, 0) }, { "EPYC-Turin", signature(26, 0, 0) },
};

/* Offsets of a save area. */
enum : unsigned {
	kEs = 0x00,
	kCs = 0x10,
	kSs = 0x20,
	kDs = 0x30,
	kFs = 0x40,
	kGs = 0x50,
	kGdtr = 0x60,
	kLdtr = 0x70,
	kIdtr = 0x80,
	kTr = 0x90,
	kEfer = 0xd0,
	kCr4 = 0x148,
	kCr0 = 0x158,
	kDr7 = 0x160,
	kDr6 = 0x168,
	kRflags = 0x170,
	kRip = 0x178,
	kGPat = 0x268,
	kRdx = 0x310,
	kSevFeatures = 0x3b0,
	kXcr0 = 0x3e8,
	kMxcsr = 0x408,
	kFcw = 0x410,
};

struct Segment {
	unsigned offset;
	std::uint16_t selector, attributes;
	std::uint64_t base;
};

/* Everything else is zero. */
void put(Contents &page, unsigned offset, std::uint64_t value, unsigned size = 8)
{
	for (unsigned i = 0; i < size; i++)
		page[offset + i] = static_cast<std::uint8_t>(value >> 8 * i);
}

void put_segment(Contents &page, const Segment &segment)
{
	put(page, segment.offset, segment.selector, 2);
	put(page, segment.offset + 2, segment.attributes, 2);
	put(page, segment.offset + 4, 0xffff, 4); /* the limit */
	put(page, segment.offset + 8, segment.base);
}

void put_segments(Contents &page, const Vmm &vmm, const VcpuState &vcpu)
{
	const std::uint16_t cs = vcpu.first ? vmm.cs_first : vmm.cs_others;

	for (const Segment &segment :
	     std::initializer_list<Segment>{ { kEs, 0, 0x93, 0 },
					     { kCs, 0xf000, cs, vcpu.eip & 0xffff0000 },
					     { kSs, 0, vmm.ss, 0 },
					     { kDs, 0, 0x93, 0 },
					     { kFs, 0, 0x93, 0 },
					     { kGs, 0, 0x93, 0 },
					     { kGdtr, 0, 0, 0 },
					     { kLdtr, 0, 0x82, 0 },
					     { kIdtr, 0, 0, 0 },
					     { kTr, 0, vmm.tr, 0 } })
		put_segment(page, segment);
}

std::string names_of_types()
{
	std::string names;

	for (const VcpuType &type : kVcpuTypes)
		names += (names.empty() ? "" : ", ") + std::string(type.name);
	return names;
}

/* "EPYC-Rome" of "EPYC-Rome-v2". */
std::string without_version(const std::string &name)
{
	const std::size_t dash = name.rfind("-v");

	if (dash == std::string::npos || dash + 2 == name.size() ||
	    name.find_first_not_of("0123456789", dash + 2) != std::string::npos)
		return name;
	return name.substr(0, dash);
}

} /* namespace */

const Vmm &vmm_of(const std::string &name)
{
	for (const Vmm &vmm : kVmms) {
		if (name == vmm.name)
			return vmm;
	}
	throw Refused("--vmm " + name + ": known are qemu, qemu-11-no-xsave, ec2, gce");
}

std::uint32_t signature_of_type(const std::string &name)
{
	for (const VcpuType &type : kVcpuTypes) {
		if (without_version(name) == type.name)
			return type.signature;
	}
	throw Refused("--vcpu-type " + name + ": known are " + names_of_types() +
		      ", with their versions (-v1 ...); for another, --vcpu-sig");
}

std::uint32_t parse_signature(const std::string &text)
{
	std::vector<std::uint64_t> numbers;
	std::istringstream parts(text);

	for (std::string part; std::getline(parts, part, ',');)
		numbers.push_back(parse_number(part).value_or(~0ull));
	if (numbers.size() == 1 && numbers[0] <= 0xffffffff)
		return static_cast<std::uint32_t>(numbers[0]);
	if (numbers.size() != 3 || text.back() == ',' || numbers[0] > 15 + 255 ||
	    numbers[1] > 255 || numbers[2] > 15)
		throw Refused("--vcpu-sig " + text +
			      ": neither FAMILY,MODEL,STEPPING (270, 255 and 15 at most) nor a "
			      "number of 32 bits");
	return signature(static_cast<unsigned>(numbers[0]), static_cast<unsigned>(numbers[1]),
			 static_cast<unsigned>(numbers[2]));
}

Contents vmsa_page(const Vmm &vmm, const VcpuState &vcpu)
{
	Contents page(kPageSize);

	put_segments(page, vmm, vcpu);
	put(page, kEfer, 0x1000); /* SVME, without which nothing of a guest runs */
	put(page, kCr4, 0x40); /* MCE, which KVM sets */
	put(page, kCr0, 0x10);
	put(page, kDr7, 0x400);
	put(page, kDr6, 0xffff0ff0);
	put(page, kRflags, 2);
	put(page, kRip, vcpu.eip & 0xffff);
	put(page, kGPat, vmm.g_pat);
	put(page, kRdx, vmm.signature_in_rdx ? vcpu.signature : vmm.rdx);
	put(page, kSevFeatures, vcpu.sev_features);
	put(page, kXcr0, 1);
	if (vcpu.first || vmm.resets_fpus) {
		put(page, kMxcsr, vmm.mxcsr, 4);
		put(page, kFcw, vmm.fcw, 2);
	}
	return page;
}

} /* namespace measure */
