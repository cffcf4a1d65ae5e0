// SPDX-License-Identifier: GPL-2.0-only
/*
 * Security modules in BPF (bpf_lsm.h).
 */
#include "bpf_lsm.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "tap.h"

/* Instructions, in the order of their operands. */
#define LOAD(dst, src, at) \
	{ .code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = (dst), .src_reg = (src), .off = (at) }
#define STORE_ZERO(dst, at) { .code = BPF_ST | BPF_DW | BPF_MEM, .dst_reg = (dst), .off = (at) }
#define MOVE(dst, src) { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst), .src_reg = (src) }
#define SET(dst, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (dst), .imm = (value) }
#define ADD(dst, value) { .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (dst), .imm = (value) }
/* Two words. */
#define SET_64(dst, value)                                                                       \
	{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (dst), .imm = (__s32)(value) },          \
	{ .imm = (__s32)((value) >> 32) }
#define UNLESS_EQUAL_SKIP(a, b, n) \
	{ .code = BPF_JMP | BPF_JNE | BPF_X, .dst_reg = (a), .src_reg = (b), .off = (n) }
#define CALL(function) { .code = BPF_JMP | BPF_CALL, .imm = (function) }
#define RETURN() { .code = BPF_JMP | BPF_EXIT }

enum { R0, R1, R2, R3, R10 = 10 };

/* Bytes of @member, which is no bit field, from the start of struct @name of the kernel's. */
static short offset_of(const char *name, const char *member)
{
	static struct btf *kernel;
	const struct btf_type *type;
	int id;

	if (!kernel)
		kernel = btf__load_vmlinux_btf();
	CHECK(kernel, "the kernel has no BTF: %m");
	id = btf__find_by_name_kind(kernel, name, BTF_KIND_STRUCT);
	CHECK(id > 0, "the kernel has no struct %s", name);
	type = btf__type_by_id(kernel, id);
	for (unsigned int i = 0; i < btf_vlen(type); i++) {
		if (!strcmp(btf__name_by_offset(kernel, btf_members(type)[i].name_off), member))
			return btf_member_bit_offset(type, i) / 8;
	}
	FAIL("struct %s has no %s", name, member);
}

static void attach(struct bpf_attached *attached, const char *hook, const struct bpf_insn *code,
		   size_t len)
{
	int ret = bpf_attach(attached, hook, BPF_PROG_TYPE_LSM, BPF_LSM_MAC, code, len);

	CHECK(ret == 0, "%s: %s", hook, strerror(-ret));
}

void bpf_lsm_deny_class(struct bpf_attached *attached, const char *name)
{
	__u64 text[2] = { 0 };

	CHECK(strlen(name) < sizeof(text), "%s is too long", name);
	memcpy(text, name, strlen(name));

	/* int inode_init_security_anon(inode, const struct qstr *name, context) */
	const struct bpf_insn code[] = {
		STORE_ZERO(R10, -16),
		STORE_ZERO(R10, -8),
		LOAD(R3, R1, 8),
		LOAD(R3, R3, offset_of("qstr", "name")),
		SET(R2, sizeof(text)),
		MOVE(R1, R10),
		ADD(R1, -16),
		CALL(BPF_FUNC_probe_read_kernel_str),
		SET(R0, 0),
		LOAD(R1, R10, -16),
		SET_64(R2, text[0]),
		UNLESS_EQUAL_SKIP(R1, R2, 5),
		LOAD(R1, R10, -8),
		SET_64(R2, text[1]),
		UNLESS_EQUAL_SKIP(R1, R2, 1),
		SET(R0, -EACCES),
		RETURN(),
	};

	attach(attached, "bpf_lsm_inode_init_security_anon", code, ARRAY_SIZE(code));
}

void bpf_lsm_deny_stat(struct bpf_attached *attached, unsigned long ino)
{
	/* int inode_getattr(const struct path *path) */
	const struct bpf_insn code[] = {
		LOAD(R1, R1, 0),
		LOAD(R1, R1, offset_of("path", "dentry")),
		LOAD(R1, R1, offset_of("dentry", "d_inode")),
		LOAD(R1, R1, offset_of("inode", "i_ino")),
		SET(R0, 0),
		SET_64(R2, ino),
		UNLESS_EQUAL_SKIP(R1, R2, 1),
		SET(R0, -EACCES),
		RETURN(),
	};

	attach(attached, "bpf_lsm_inode_getattr", code, ARRAY_SIZE(code));
}
