// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verification of reports (verify.h).
 */
#include "tools/gmem-report/verify.h"

#include <algorithm>
#include <stdexcept>

#include <openssl/x509_vfy.h>

namespace report
{

namespace
{

using Store = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;

/* The stack does not own what is in there. */
using Stack = std::unique_ptr<STACK_OF(X509),
			      FreeWith<[](STACK_OF(X509) * stack) { sk_X509_free(stack); }>>;

/* Why the chain does not lead to its root; empty: it does. */
std::string fault_of_chain(const Chain &chain)
{
	const Store store{ X509_STORE_new() };
	const StoreContext context{ X509_STORE_CTX_new() };
	const Stack between{ sk_X509_new_null() };

	if (X509_STORE_add_cert(store.get(), chain.ark.get()) != 1 ||
	    sk_X509_push(between.get(), chain.ask.get()) != 1 ||
	    X509_STORE_CTX_init(context.get(), store.get(), chain.vcek.get(), between.get()) != 1)
		throw std::runtime_error("OpenSSL failed");
	if (X509_verify_cert(context.get()) == 1)
		return {};
	return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

/* As the firmware has keys. */
Contents key_bytes(const Processor &processor)
{
	constexpr std::ptrdiff_t kX = 4, kY = kX + 72;
	Contents key(measure::kPublicKeySize);

	key[0] = 2; /* P-384 */
	std::reverse_copy(processor.x.begin(), processor.x.end(), key.begin() + kX);
	std::reverse_copy(processor.y.begin(), processor.y.end(), key.begin() + kY);
	return key;
}

bool same(gmem::ConstBytes a, gmem::ConstBytes b)
{
	return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

} /* namespace */

std::vector<std::string> faults_of(const Report &report, const Chain &chain,
				   const std::vector<Wanted> &wanted)
{
	const Processor processor = processor_of(chain.vcek);
	const std::string fault = fault_of_chain(chain);
	const std::uint64_t tcb = report.number(gmem::report::kReportedTcb);
	std::vector<std::string> faults;

	if (!fault.empty())
		faults.push_back("the VCEK's certificate does not lead to the root: " + fault);
	if (report.number(gmem::report::kSignatureAlgorithm) != gmem::kReportEcdsaP384)
		faults.push_back("the signature is not said to be ECDSA on P-384 with SHA-384");
	if (!measure::verifies(key_bytes(processor), report.signed_part(),
			       report.bytes(gmem::report::kSignature)))
		faults.push_back("the VCEK has not signed the report");
	if (!same(report.bytes(gmem::report::kChipId), processor.chip_id))
		faults.push_back("chip_id: the report has " +
				 measure::hex(report.bytes(gmem::report::kChipId)) +
				 ", the VCEK's certificate " + measure::hex(processor.chip_id));
	if (tcb != processor.tcb)
		faults.push_back("reported_tcb: the report has " + measure::hex_number(tcb) +
				 ", the VCEK's certificate " + measure::hex_number(processor.tcb));
	for (const Wanted &want : wanted) {
		const auto has = report.bytes(want.field);

		if (!same(has, want.bytes))
			faults.push_back(std::string(want.name) + ": the report has " +
					 measure::hex(has) + ", wanted is " +
					 measure::hex(want.bytes));
	}
	return faults;
}

} /* namespace report */
