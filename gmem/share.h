/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two states of a page (Fact::kShared) as callers name them: the state that a page must
 * be in for its asker, or that a conversion gives it.
 */
#ifndef GMEM_SHARE_H
#define GMEM_SHARE_H

namespace gmem
{

enum class Share {
	kPrivate, /* only the guest may see it */
	kShared, /* user space may, too */
	kEither, /* of an asker: it does not mind */
};

constexpr Share private_if(bool is_private)
{
	return is_private ? Share::kPrivate : Share::kShared;
}

constexpr Share shared_if(bool is_shared)
{
	return private_if(!is_shared);
}

/* Of kPrivate and kShared the other. */
constexpr Share opposite(Share share)
{
	return private_if(share == Share::kShared);
}

} /* namespace gmem */

#endif /* GMEM_SHARE_H */
