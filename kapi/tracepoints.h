/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints of TRACE_SYSTEM gmem. Names and fields are an interface
 * (docs/tracing.md): events get new fields at their ends, and nothing else changes.
 * Read twice by the kernel's own macros; kapi/trace.c has what they call.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gmem

#if !defined(GMEM_KAPI_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define GMEM_KAPI_TRACEPOINTS_H

#include <linux/tracepoint.h>

#include "trace.h"

/*
 * Values with names. The names are for TP_printk(); the same lists tell user space the
 * numbers, as perf and trace-cmd read KAPI_... in the format of an event.
 */
#define gmem_smalls						\
	GMEM_VALUE(SMALL_NOT, "not")				\
	GMEM_VALUE(SMALL_MEMORY, "memory")			\
	GMEM_VALUE(SMALL_PLACE, "place")			\
	GMEM_VALUE(SMALL_MIXED, "mixed")			\
	GMEM_VALUE(SMALL_PARTIAL, "partial")			\
	GMEM_VALUE(SMALL_POISONED, "poisoned")			\
	GMEM_VALUE(SMALL_PLATFORM, "platform")			\
	GMEM_LAST(SMALL_POLICY, "policy")

#define gmem_askers						\
	GMEM_VALUE(WHO_GUEST, "guest")				\
	GMEM_VALUE(WHO_KERNEL, "kernel")			\
	GMEM_VALUE(WHO_USER, "user")				\
	GMEM_LAST(WHO_CONSUMER, "consumer")

#define gmem_phases						\
	GMEM_VALUE(PHASE_PREPARE, "prepare")			\
	GMEM_VALUE(PHASE_COMMIT, "commit")			\
	GMEM_LAST(PHASE_FAIL, "fail")

#define gmem_launch_phases					\
	GMEM_VALUE(LAUNCH_POPULATE, "populate")			\
	GMEM_VALUE(LAUNCH_FINISH, "finish")			\
	GMEM_VALUE(LAUNCH_MEASUREMENT, "measurement")		\
	GMEM_VALUE(LAUNCH_INIT, "init")				\
	GMEM_LAST(LAUNCH_START, "start")

#undef GMEM_VALUE
#undef GMEM_LAST
#define GMEM_VALUE(value, name) TRACE_DEFINE_ENUM(KAPI_##value);
#define GMEM_LAST(value, name) TRACE_DEFINE_ENUM(KAPI_##value);
gmem_smalls
gmem_askers
gmem_phases
gmem_launch_phases
#undef GMEM_VALUE
#undef GMEM_LAST
#define GMEM_VALUE(value, name) { KAPI_##value, name },
#define GMEM_LAST(value, name) { KAPI_##value, name }

#define gmem_show_small(small) __print_symbolic(small, gmem_smalls)
#define gmem_show_who(who) __print_symbolic(who, gmem_askers)
#define gmem_show_phase(phase) __print_symbolic(phase, gmem_phases)
#define gmem_show_launch(phase) __print_symbolic(phase, gmem_launch_phases)
#define gmem_show_share(shared) ((shared) ? "shared" : "private")

TRACE_EVENT_FN(gmem_create,
	TP_PROTO(struct inode *inode, const struct kapi_event_create *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u32, vm)
		__field(u32, vm_type)
		__field(u64, size)
		__array(char, platform, 16)
		__field(u8, huge)
		__field(u8, mappable)
		__field(u8, shared)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->vm = event->vm->userspace_pid;
		__entry->vm_type = event->vm->arch.vm_type;
		__entry->size = event->size;
		strscpy(__entry->platform, event->platform, sizeof(__entry->platform));
		__entry->huge = event->huge;
		__entry->mappable = event->mappable;
		__entry->shared = event->shared;
	),
	TP_printk("ino=%llu vm=%u vm_type=%u size=%llu platform=%s huge=%u mappable=%u shared=%u",
		  __entry->ino, __entry->vm, __entry->vm_type, __entry->size, __entry->platform,
		  __entry->huge, __entry->mappable, __entry->shared),
	gmem_create_begin, gmem_create_end
);

TRACE_EVENT_FN(gmem_bind,
	TP_PROTO(struct inode *inode, const struct kapi_event_bind *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u32, vm)
		__field(s32, ret)
		__field(u64, gfn)
		__field(u64, index)
		__field(u64, npages)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->vm = event->vm->userspace_pid;
		__entry->ret = event->ret;
		__entry->gfn = event->gfn;
		__entry->index = event->index;
		__entry->npages = event->npages;
	),
	TP_printk("ino=%llu vm=%u gfn=0x%llx index=%llu npages=%llu ret=%d",
		  __entry->ino, __entry->vm, __entry->gfn, __entry->index, __entry->npages,
		  __entry->ret),
	gmem_bind_begin, gmem_bind_end
);

TRACE_EVENT_FN(gmem_unbind,
	TP_PROTO(struct inode *inode, const struct kapi_event_bind *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u32, vm)
		__field(u64, gfn)
		__field(u64, index)
		__field(u64, npages)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->vm = event->vm->userspace_pid;
		__entry->gfn = event->gfn;
		__entry->index = event->index;
		__entry->npages = event->npages;
	),
	TP_printk("ino=%llu vm=%u gfn=0x%llx index=%llu npages=%llu",
		  __entry->ino, __entry->vm, __entry->gfn, __entry->index, __entry->npages),
	gmem_unbind_begin, gmem_unbind_end
);

TRACE_EVENT_FN(gmem_fault,
	TP_PROTO(struct inode *inode, const struct kapi_event_fault *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u64, index)
		__field(u64, gfn)
		__field(u64, ns)
		__field(s32, ret)
		__field(u8, who)
		__field(u8, shared)
		__field(u8, order)
		__field(u8, small)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = event->index;
		__entry->gfn = event->gfn;
		__entry->ns = event->ns;
		__entry->ret = event->ret;
		__entry->who = event->who;
		__entry->shared = event->shared;
		__entry->order = event->order;
		__entry->small = event->small;
	),
	TP_printk("ino=%llu index=%llu gfn=0x%llx who=%s %s order=%u small=%s ret=%d ns=%llu",
		  __entry->ino, __entry->index, __entry->gfn, gmem_show_who(__entry->who),
		  gmem_show_share(__entry->shared), __entry->order,
		  gmem_show_small(__entry->small), __entry->ret, __entry->ns),
	gmem_fault_begin, gmem_fault_end
);

TRACE_EVENT_FN(gmem_populate,
	TP_PROTO(struct inode *inode, const struct kapi_event_populate *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u32, vm)
		__field(s32, ret)
		__field(u64, gfn)
		__field(u64, npages)
		__field(u64, done)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->vm = event->vm->userspace_pid;
		__entry->ret = event->ret;
		__entry->gfn = event->gfn;
		__entry->npages = event->npages;
		__entry->done = event->done;
		__entry->ns = event->ns;
	),
	TP_printk("ino=%llu vm=%u gfn=0x%llx npages=%llu done=%llu ret=%d ns=%llu",
		  __entry->ino, __entry->vm, __entry->gfn, __entry->npages, __entry->done,
		  __entry->ret, __entry->ns),
	gmem_populate_begin, gmem_populate_end
);

TRACE_EVENT_FN(gmem_punch,
	TP_PROTO(struct inode *inode, const struct kapi_event_punch *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u64, index)
		__field(u64, npages)
		__field(u64, ns)
		__field(s32, ret)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = event->index;
		__entry->npages = event->npages;
		__entry->ns = event->ns;
		__entry->ret = event->ret;
	),
	TP_printk("ino=%llu index=%llu npages=%llu ret=%d ns=%llu", __entry->ino,
		  __entry->index, __entry->npages, __entry->ret, __entry->ns),
	gmem_punch_begin, gmem_punch_end
);

TRACE_EVENT_FN(gmem_convert,
	TP_PROTO(struct inode *inode, const struct kapi_event_convert *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u64, index)
		__field(u64, npages)
		__field(u64, at)
		__field(u64, ns)
		__field(s32, ret)
		__field(u8, phase)
		__field(u8, to_private)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = event->index;
		__entry->npages = event->npages;
		__entry->at = event->at;
		__entry->ns = event->ns;
		__entry->ret = event->ret;
		__entry->phase = event->phase;
		__entry->to_private = event->to_private;
	),
	TP_printk("ino=%llu phase=%s to=%s index=%llu npages=%llu at=%llu ret=%d ns=%llu",
		  __entry->ino, gmem_show_phase(__entry->phase),
		  gmem_show_share(!__entry->to_private), __entry->index, __entry->npages,
		  __entry->at, __entry->ret, __entry->ns),
	gmem_convert_begin, gmem_convert_end
);

TRACE_EVENT_FN(gmem_promotion,
	TP_PROTO(struct inode *inode, const struct kapi_event_promotion *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u64, index)
		__field(u64, ns)
		__field(s32, ret)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = event->index;
		__entry->ns = event->ns;
		__entry->ret = event->ret;
	),
	TP_printk("ino=%llu index=%llu ret=%d ns=%llu", __entry->ino, __entry->index,
		  __entry->ret, __entry->ns),
	gmem_promotion_begin, gmem_promotion_end
);

TRACE_EVENT_FN(gmem_poison,
	TP_PROTO(struct inode *inode, kapi_u64 index, kapi_u64 pfn),
	TP_ARGS(inode, index, pfn),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u64, index)
		__field(u64, pfn)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = index;
		__entry->pfn = pfn;
	),
	TP_printk("ino=%llu index=%llu pfn=0x%llx", __entry->ino, __entry->index,
		  __entry->pfn),
	gmem_poison_begin, gmem_poison_end
);

TRACE_EVENT_FN(gmem_reclaim,
	TP_PROTO(struct inode *inode, const struct kapi_event_reclaim *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u64, index)
		__field(u64, npages)
		__field(u64, leaked)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = event->index;
		__entry->npages = event->npages;
		__entry->leaked = event->leaked;
	),
	TP_printk("ino=%llu index=%llu npages=%llu leaked=%llu", __entry->ino, __entry->index,
		  __entry->npages, __entry->leaked),
	gmem_reclaim_begin, gmem_reclaim_end
);

TRACE_EVENT_FN(gmem_link,
	TP_PROTO(struct inode *inode, const struct kapi_event_link *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u32, from_vm)
		__field(u32, to_vm)
		__field(u64, ns)
		__field(s32, ret)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->from_vm = event->from->userspace_pid;
		__entry->to_vm = event->to->userspace_pid;
		__entry->ns = event->ns;
		__entry->ret = event->ret;
	),
	TP_printk("ino=%llu from_vm=%u to_vm=%u ret=%d ns=%llu", __entry->ino,
		  __entry->from_vm, __entry->to_vm, __entry->ret, __entry->ns),
	gmem_link_begin, gmem_link_end
);

TRACE_EVENT_FN(gmem_launch,
	TP_PROTO(struct inode *inode, const struct kapi_event_launch *event),
	TP_ARGS(inode, event),
	TP_STRUCT__entry(
		__field(u64, ino)
		__field(u32, vm)
		__field(u32, phase)
		__field(u64, done)
		__field(u64, firmware_error)
		__field(u64, ns)
		__field(s32, ret)
	),
	TP_fast_assign(
		__entry->ino = inode ? inode->i_ino : 0;
		__entry->vm = event->vm->userspace_pid;
		__entry->phase = event->phase;
		__entry->done = event->done;
		__entry->firmware_error = event->firmware_error;
		__entry->ns = event->ns;
		__entry->ret = event->ret;
	),
	TP_printk("ino=%llu vm=%u phase=%s done=%llu ret=%d firmware_error=0x%llx ns=%llu",
		  __entry->ino, __entry->vm, gmem_show_launch(__entry->phase), __entry->done,
		  __entry->ret, __entry->firmware_error, __entry->ns),
	gmem_launch_begin, gmem_launch_end
);

#endif /* GMEM_KAPI_TRACEPOINTS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints

#include <trace/define_trace.h>
