// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs on functions of the kernel, see bpf.h. Their code is a few
 * instructions, so there is no BPF compiler and no object file.
 */
#include "bpf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

/*
 * Debian 13's libelf.a (elfutils 0.192) calls these and is without them. Of libbpf nothing
 * is used that reads ELF files.
 */
void eu_search_tree_init(void *tree);
void eu_search_tree_fini(void *tree, void (*free_node)(void *node));

__attribute__((weak)) void eu_search_tree_init(void *tree)
{
	CHECK(!tree, "libelf is used");
}

__attribute__((weak)) void eu_search_tree_fini(void *tree, void (*free_node)(void *node))
{
	CHECK(!tree && !free_node, "libelf is used");
}

/* A function's description: @btf_fd is 0 for the kernel's own BTF, else a module's. */
struct target {
	int btf_fd;
	int id;
};

/* Parsed once a process: it has several megabytes. */
static struct btf *kernel_btf(void)
{
	static struct btf *kernel;

	if (!kernel)
		kernel = btf__load_vmlinux_btf();
	CHECK(kernel, "the kernel has no BTF: %m");
	return kernel;
}

static bool is_of_a_module(int btf_fd)
{
	char name[64] = "";
	struct bpf_btf_info info = { .name = (__u64)name, .name_len = sizeof(name) };
	__u32 len = sizeof(info);

	CHECK_EQ(bpf_obj_get_info_by_fd(btf_fd, &info, &len), 0);
	return info.kernel_btf && strcmp(name, "vmlinux");
}

/* The id of @function in the BTF of a module, which has the number @btf; negative: none. */
static int find_in_module(__u32 btf, const char *function)
{
	struct btf *const module = btf__load_from_kernel_by_id_split(btf, kernel_btf());
	int id = -ENOENT;

	if (module)
		id = btf__find_by_name_kind(module, function, BTF_KIND_FUNC);
	btf__free(module);
	return id;
}

static int find(struct target *target, const char *function)
{
	__u32 btf = 0;

	*target = (struct target){
		.id = btf__find_by_name_kind(kernel_btf(), function, BTF_KIND_FUNC),
	};
	if (target->id > 0)
		return 0;
	while (!bpf_btf_get_next_id(btf, &btf)) {
		target->btf_fd = bpf_btf_get_fd_by_id(btf);
		if (target->btf_fd < 0)
			continue;
		if (is_of_a_module(target->btf_fd)) {
			target->id = find_in_module(btf, function);
			if (target->id > 0)
				return 0;
		}
		close(target->btf_fd);
	}
	return -ENOENT;
}

int bpf_attach(struct bpf_attached *attached, const char *function, enum bpf_prog_type type,
	       enum bpf_attach_type how, const struct bpf_insn *code, size_t len)
{
	struct bpf_prog_load_opts opts = { .sz = sizeof(opts), .expected_attach_type = how };
	struct target target;
	int ret = find(&target, function);

	if (ret)
		return ret;
	opts.attach_btf_id = target.id;
	opts.attach_btf_obj_fd = target.btf_fd;
	attached->prog = bpf_prog_load(type, "selftest", "GPL", code, len, &opts);
	ret = attached->prog < 0 ? -errno : 0;
	if (target.btf_fd)
		close(target.btf_fd);
	if (ret)
		return ret;
	attached->link = bpf_raw_tracepoint_open(NULL, attached->prog);
	if (attached->link < 0) {
		ret = -errno;
		close(attached->prog);
	}
	return ret;
}

int bpf_count_calls(struct bpf_attached *attached, const char *function, enum bpf_attach_type how)
{
	struct bpf_attached made = {
		.calls = bpf_map_create(BPF_MAP_TYPE_ARRAY, "calls", sizeof(__u32),
					sizeof(__u64), 1, NULL),
	};
	const struct bpf_insn code[] = {
		/* r1 = &calls[0], an instruction of two words */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = made.calls },
		{ 0 },
		/* r2 = 1 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
		/* lock *r1 += r2 */
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2, .imm = BPF_ADD },
		/* return 0, which for BPF_MODIFY_RETURN means: go on */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int ret;

	if (made.calls < 0)
		return -errno;
	ret = bpf_attach(&made, function, BPF_PROG_TYPE_TRACING, how, code, ARRAY_SIZE(code));
	if (ret)
		close(made.calls);
	else
		*attached = made;
	return ret;
}

uint64_t bpf_calls(const struct bpf_attached *attached)
{
	const __u32 key = 0;
	uint64_t calls;

	CHECK_OK(bpf_map_lookup_elem(attached->calls, &key, &calls));
	return calls;
}

void bpf_detach(struct bpf_attached *attached)
{
	if (attached->link)
		close(attached->link);
	if (attached->prog)
		close(attached->prog);
	if (attached->calls)
		close(attached->calls);
	*attached = (struct bpf_attached){ 0 };
}
