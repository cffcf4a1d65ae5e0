/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How test cases are written: once, for two worlds. A case is a function; a
 * suite is a table of them, at the end of its file. On the host main.cc makes
 * GoogleTest's tests of the tables; in the kernel kernel/main.c makes KUnit's.
 *
 * EXPECT_* go on after a failure, REQUIRE_* leave the function.
 */
#ifndef GMEM_KUNIT_SUITE_H
#define GMEM_KUNIT_SUITE_H

#ifdef __cplusplus
extern "C" {
#endif

struct gmem_case {
	const char *name;
	void (*run)(void);
};

struct gmem_suite {
	const char *name;
	const struct gmem_case *cases;
	unsigned int count;
};

/* Marks the running case as failed. */
void gmem_case_failed(const char *file, int line, const char *what);
/* The same, with the two values that should be equal. */
void gmem_case_differs(const char *file, int line, const char *what, long long left,
		       long long right);

/* Suites of both worlds (kunit/suites/). */
#define GMEM_SUITES_OF_BOTH_WORLDS(X) \
	X(types)                      \
	X(bitmap)                     \
	X(kapi_contract)              \
	X(bindings)                   \
	X(invalidation)               \
	X(consumers)                  \
	X(store)                      \
	X(content)                    \
	X(removal)                    \
	X(file)                       \
	X(entry)                      \
	X(snp_digest)                 \
	X(tdx_mrtd)                   \
	X(rmp)                        \
	X(rmp_guest)                  \
	X(snp_insns)                  \
	X(snp_ghcb)                   \
	X(snp_psc)                    \
	X(snp_save_area)              \
	X(vc)                         \
	X(vc_32)                      \
	X(exits)                      \
	X(snp_model)                  \
	X(p384)                       \
	X(snp_requests)               \
	X(tdx_model)                  \
	X(snp_platform)               \
	X(tdx_platform)               \
	X(walk)

/* Suites that need the fakes (kunit/hosted/). */
#define GMEM_HOSTED_SUITES(X) \
	X(fake_rules)         \
	X(memslot)            \
	X(populate)           \
	X(promotion)          \
	X(vms)                \
	X(facts)              \
	X(giant)              \
	X(block)              \
	X(holder)             \
	X(bad_moments)        \
	X(launch)             \
	X(launch_in_place)    \
	X(id_block)           \
	X(sev)                \
	X(snp_guest)          \
	X(snp_vmgexit)        \
	X(snp_events)         \
	X(snp_ap)             \
	X(misdeeds)           \
	X(guest_requests)     \
	X(vc_guest)           \
	X(c_bit)              \
	X(fail_nth)           \
	X(interleavings)      \
	X(consumers_races)    \
	X(pci_hole)           \
	X(boundary)           \
	X(kernels)            \
	X(faults)             \
	X(slots)              \
	X(share)              \
	X(conversion)         \
	X(convert_abi)        \
	X(convert_refused)    \
	X(attributes)         \
	X(bounds)             \
	X(turns)              \
	X(convert_fails)      \
	X(convert_races)      \
	X(finds)              \
	X(link)               \
	X(transitions)        \
	X(vendors)            \
	X(map)                \
	X(observe)            \
	X(stats)

#define GMEM_DECLARE_SUITE(suite) extern const struct gmem_suite gmem_suite_##suite;
GMEM_SUITES_OF_BOTH_WORLDS(GMEM_DECLARE_SUITE)
GMEM_HOSTED_SUITES(GMEM_DECLARE_SUITE)
GMEM_DECLARE_SUITE(concurrency)

#ifdef __cplusplus
}

/* Ends a suite's file: GMEM_SUITE(name, CASE(first), CASE(second)); */
#define CASE(fn)        \
	{               \
#fn, fn \
	}
#define GMEM_SUITE(suite, ...)                                                         \
	static constexpr gmem_case cases_of_##suite[] = { __VA_ARGS__ };               \
	extern "C" constexpr gmem_suite gmem_suite_##suite = {                         \
		#suite, cases_of_##suite, sizeof(cases_of_##suite) / sizeof(gmem_case) \
	}

#define EXPECT(cond)                                                 \
	do {                                                         \
		if (!(cond))                                         \
			gmem_case_failed(__FILE__, __LINE__, #cond); \
	} while (0)

#define EXPECT_EQ(left, right)                                                     \
	do {                                                                       \
		const auto left_ = (left);                                         \
		const auto right_ = (right);                                       \
		if (!(left_ == right_))                                            \
			gmem_case_differs(__FILE__, __LINE__, #left " == " #right, \
					  (long long)left_, (long long)right_);    \
	} while (0)

#define REQUIRE(cond)                                                \
	do {                                                         \
		if (!(cond)) {                                       \
			gmem_case_failed(__FILE__, __LINE__, #cond); \
			return;                                      \
		}                                                    \
	} while (0)
#endif

#endif /* GMEM_KUNIT_SUITE_H */
