/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors as values. A Status is success or a negative errno; a Result carries a
 * value instead. Both must be looked at; they become plain ints only at the C ABI.
 */
#ifndef GMEM_RESULT_H
#define GMEM_RESULT_H

#include <cerrno>
#include <type_traits>
#include <utility>

#ifndef EHWPOISON
#define EHWPOISON 133
#endif

namespace gmem
{

class [[nodiscard]] Status {
    public:
	constexpr Status() = default;
	/* @code: 0 or a negative errno. */
	constexpr explicit Status(int code) : code_(code) {}

	constexpr bool ok() const { return code_ == 0; }
	constexpr int code() const { return code_; }
	constexpr Status status() const { return *this; }

	friend constexpr bool operator==(Status, Status) = default;

    private:
	int code_ = 0;
};

/* @errno_value is one of <cerrno>'s, positive. */
constexpr Status error(int errno_value)
{
	return Status{ -errno_value };
}

/* T must be default-constructible: a failed Result holds an empty one. */
template <class T> class [[nodiscard]] Result {
    public:
	constexpr Result(T value) : value_(std::move(value)) {}
	constexpr Result(Status failure) : status_(failure) {}

	constexpr bool ok() const { return status_.ok(); }
	constexpr Status status() const { return status_; }
	constexpr T &value() & { return value_; }
	constexpr const T &value() const & { return value_; }
	constexpr T &&value() && { return std::move(value_); }

    private:
	T value_{};
	Status status_;
};

} /* namespace gmem */

#define GMEM_CONCAT_(a, b) a##b
#define GMEM_CONCAT(a, b) GMEM_CONCAT_(a, b)

/* Leaves the function with the error of @expr, if it has one. */
#define GMEM_CHECK(expr)                                            \
	do {                                                        \
		const ::gmem::Status gmem_check_ = (expr).status(); \
		if (!gmem_check_.ok())                              \
			return gmem_check_;                         \
	} while (0)

/* Declares @var with the value of the Result @expr, or leaves with its error. */
#define GMEM_TRY(var, expr) GMEM_TRY_(var, expr, GMEM_CONCAT(gmem_try_, __LINE__))
#define GMEM_TRY_(var, expr, tmp)    \
	auto tmp = (expr);           \
	if (!tmp.ok())               \
		return tmp.status(); \
	auto var = std::move(tmp).value()

#endif /* GMEM_RESULT_H */
