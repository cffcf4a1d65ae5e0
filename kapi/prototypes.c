// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing prototypes by <linux/btf.h> (prototypes.h). scripts/check-kvm compares them
 * before a build; what is loaded may be another KVM. A type is written down as C and
 * compared as text. Only what occurs in prototypes of KVM's is written as C has it; of
 * anything else something comes out that no list has.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/btf.h>
#include <linux/bpf.h>
#include <linux/ctype.h>
#include <linux/seq_buf.h>
#include <linux/static_call.h>

#include "compat/exception.h"
#include "prototypes.h"
#include "symbols.h"

#ifdef CONFIG_DEBUG_INFO_BTF_MODULES

/* Not exported, and not in every kernel; their types are the headers'. */
/* clang-format off */
#define LOOKUPS(X)                                                                        \
	X(bpf_find_btf_id)                                                                \
	X(bpf_get_btf_vmlinux)                                                            \
	X(btf_get_name)                                                                   \
	X(btf_is_module)                                                                  \
	X(btf_name_by_offset)                                                             \
	X(btf_nr_types)                                                                   \
	X(btf_put)
/* clang-format on */

#define DEFINE_LOOKUP(name) DEFINE_STATIC_CALL_NULL(gmem_##name, name);
LOOKUPS(DEFINE_LOOKUP)

#define CALL(name) static_call(gmem_##name)

/* Longer than any prototype of the lists; what is cut off is none of them. */
#define TEXT_SIZE 256
/* Deeper than any type of theirs; BTF that goes round in a circle ends, too. */
#define DEPTH 8

/* KVM's, or the kernel's with KVM in it; NULL: none. Loading is one at a time. */
static struct btf *types;
static u32 first_type;

static bool find_lookups(void)
{
	unsigned long addr;

#define FIND(name)                                                                         \
	addr = gmem_symbol_address(#name);                                                 \
	if (!addr)                                                                         \
		return false;                                                              \
	static_call_update(gmem_##name, (typeof(name) *)addr);
	LOOKUPS(FIND)
	return true;
}

/* The types of KVM; NULL without any. */
static struct btf *find_types(void)
{
	struct btf *btf = NULL;

	/* Any function that every KVM has. */
	if (!find_lookups() || CALL(bpf_find_btf_id)("kvm_vm_ioctl", BTF_KIND_FUNC, &btf) < 0)
		return NULL;
	if (!CALL(btf_is_module)(btf)) {
		first_type = 1;
		return btf;
	}
	/* Some other module may have a function of that name. */
	if (strcmp(CALL(btf_get_name)(btf), "kvm")) {
		CALL(btf_put)(btf);
		return NULL;
	}
	first_type = CALL(btf_nr_types)(CALL(bpf_get_btf_vmlinux)());
	return btf;
}

void gmem_prototypes_open(void)
{
	types = find_types();
	if (!types)
		pr_info("prototypes of KVM's functions are not compared: it has no BTF\n");
}

void gmem_prototypes_close(void)
{
	if (types)
		CALL(btf_put)(types);
	types = NULL;
}

static const char *name_at(u32 offset)
{
	return CALL(btf_name_by_offset)(types, offset);
}

/* What is called @name, of BTF_KIND_@kind; NULL if it is not among KVM's. */
static const struct btf_type *find_type(const char *name, int kind)
{
	const struct btf_type *type;
	u32 id;

	for (id = first_type; types && (type = btf_type_by_id(types, id)); id++) {
		if (btf_kind(type) == kind && !strcmp(name_at(type->name_off), name))
			return type;
	}
	return NULL;
}

/* The type of the function @name, NULL if it is not among KVM's. */
static const struct btf_type *find_prototype(const char *name)
{
	const struct btf_type *const function = find_type(name, BTF_KIND_FUNC);

	return function ? btf_type_by_id(types, function->type) : NULL;
}

/* Numbers are called otherwise in C than in BTF. */
static const char *number(const char *name)
{
	static const char *const names[][2] = {
		{ "short unsigned int", "unsigned short" },
		{ "long int", "long" },
		{ "long unsigned int", "unsigned long" },
		{ "long long int", "long long" },
		{ "long long unsigned int", "unsigned long long" },
		{ "_Bool", "bool" },
	};

	for (int i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i][0], name))
			return names[i][1];
	}
	return name;
}

static void write_type(struct seq_buf *out, u32 id, int depth)
{
	const struct btf_type *const type = btf_type_by_id(types, id);
	const char *name;

	if (!id) {
		seq_buf_puts(out, "void");
		return;
	}
	if (!type || !depth) {
		seq_buf_puts(out, "?");
		return;
	}
	name = name_at(type->name_off);
	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
		write_type(out, type->type, depth - 1);
		seq_buf_puts(out, " *");
		break;
	case BTF_KIND_CONST:
		seq_buf_puts(out, "const ");
		fallthrough;
	case BTF_KIND_TYPE_TAG:
		write_type(out, type->type, depth - 1);
		break;
	case BTF_KIND_STRUCT:
		seq_buf_printf(out, "struct %s", name);
		break;
	case BTF_KIND_FWD:
		seq_buf_printf(out, "%s %s", btf_type_kflag(type) ? "union" : "struct", name);
		break;
	case BTF_KIND_ENUM:
		seq_buf_printf(out, "enum %s", name);
		break;
	case BTF_KIND_INT:
	case BTF_KIND_TYPEDEF:
		seq_buf_puts(out, number(name));
		break;
	default:
		seq_buf_printf(out, "kind %u", btf_kind(type));
	}
}

/* As C into @text, of TEXT_SIZE. */
static void write_prototype(char *text, const struct btf_type *proto)
{
	const struct btf_param *const params = btf_params(proto);
	struct seq_buf out;

	seq_buf_init(&out, text, TEXT_SIZE);
	write_type(&out, proto->type, DEPTH);
	seq_buf_puts(&out, " (");
	for (u32 i = 0; i < btf_vlen(proto); i++) {
		seq_buf_puts(&out, i ? ", " : "");
		write_type(&out, params[i].type, DEPTH);
	}
	seq_buf_puts(&out, btf_vlen(proto) ? ")" : "void)");
	seq_buf_str(&out);
}

static bool same_but_for_spaces(const char *a, const char *b)
{
	do {
		a = skip_spaces(a);
		b = skip_spaces(b);
		if (*a != *b)
			return false;
		b++;
	} while (*a++);
	return true;
}

bool gmem_prototype_differs(const char *name, const char *text)
{
	const struct btf_type *const proto = find_prototype(name);
	char found[TEXT_SIZE];

	if (!proto)
		return false;
	write_prototype(found, proto);
	return !same_but_for_spaces(found, text);
}

void gmem_prototype_explain(const char *name, const char *text)
{
	const struct btf_type *const proto = find_prototype(name);
	char found[TEXT_SIZE];

	if (!proto)
		return;
	write_prototype(found, proto);
	pr_err("expected of %s: %s, found: %s\n", name, text, found);
}

/* Where the field is in the struct, or in what has no name there: bytes; -1: there is none. */
static long find_field(const struct btf_type *type, const char *name, int depth)
{
	const struct btf_member *const members = (const struct btf_member *)(type + 1);

	for (u32 i = 0; i < btf_vlen(type); i++) {
		const char *const own = name_at(members[i].name_off);
		const u32 bits = __btf_member_bit_offset(type, &members[i]);
		const struct btf_type *of;
		long inside;

		if (!strcmp(own, name))
			return bits % 8 ? -1 : bits / 8;
		of = btf_type_by_id(types, members[i].type);
		if (*own || !depth || !of ||
		    (btf_kind(of) != BTF_KIND_STRUCT && btf_kind(of) != BTF_KIND_UNION))
			continue;
		inside = find_field(of, name, depth - 1);
		if (inside >= 0)
			return bits / 8 + inside;
	}
	return -1;
}

#define FIELD_AT(of, name) { #name, offsetof(struct x86_exception, name) },

bool gmem_exception_differs(void)
{
	static const struct {
		const char *name;
		long place;
	} fields[] = { EXCEPTION_FIELDS(FIELD_AT) };
	const struct btf_type *const type = find_type("x86_exception", BTF_KIND_STRUCT);
	bool differs = type && type->size != sizeof(struct x86_exception);

	for (int i = 0; type && i < ARRAY_SIZE(fields); i++)
		differs |= find_field(type, fields[i].name, DEPTH) != fields[i].place;
	return differs;
}

#else /* types cannot be asked for */

void gmem_prototypes_open(void)
{
}

void gmem_prototypes_close(void)
{
}

bool gmem_prototype_differs(const char *name, const char *text)
{
	return false;
}

void gmem_prototype_explain(const char *name, const char *text)
{
}

bool gmem_exception_differs(void)
{
	return false;
}

#endif
