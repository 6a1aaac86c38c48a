/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* dnsx: the bytes of a packet, wherever they lie. What an application gives to TCP, and what some network cards receive,
 * is not in the packet's own buffer but in pages that it refers to. */
#ifndef PLUMB_DNSX_PAYLOAD_BPF_H
#define PLUMB_DNSX_PAYLOAD_BPF_H

#include "bpf/kernel.h"
#include "bpf/kernel_skb.h"
#include "bpf/kfunc.bpf.h"
#include "dnsx/wire.h"

const volatile struct dnsx_config config = {
	.ports = {53},
	.port_count = 1,
	.client = 1,
};

/* Room to make a record in, too large for the stack. Key: 0. The programs that use it run with softirqs off, and do not
 * interrupt each other. */
struct record {
	struct dnsx_packet packet;
	unsigned char payload[2 * DNSX_MAX_PAYLOAD]; /* the second half is for the verifier: see read_fragments() */
	/* Addresses that are numbers once they went through here: the verifier lets nobody reckon with its own pointers, nor
	 * give them to a global function. */
	__u64 context;
	__u64 network; /* the packet's network header */
	__u64 skb;
	unsigned char ip[40]; /* the packet's headers */
	unsigned char transport[14];
	__u32 payload_at; /* what is left to tell of the packet's payload: offset from skb->data, and size */
	__u32 left;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} room SEC(".maps");

/* How fragments are read; each program has its own, as a constant. */
enum payload_by {
	BY_DYNPTR, /* the kernel does it (Linux 6.12, commit b7cd7f7f7d1d) */
	BY_PAGES,  /* from the addresses at which it maps all pages */
};

#define MAX_FRAGMENTS 17 /* include/linux/skbuff.h: MAX_SKB_FRAGS as everybody has it */

#if defined(__TARGET_ARCH_x86)
/* Documentation/arch/x86/x86_64/mm.rst, four levels of page tables; of kernels that do not shuffle them. */
#define PAGE_OFFSET 0xffff888000000000ULL
#define PAGE_ARRAY 0xffffea0000000000ULL
#else
/* arch/arm64/include/asm/memory.h, pages of 4 KiB and addresses of 48 bits: what is shuffled there is where memory begins,
 * which page_to_virt() leaves out. Other kernels fault, so that what lies in fragments is not read. */
#define PAGE_OFFSET 0xffff000000000000ULL
#define PAGE_ARRAY 0xfffffc0000000000ULL
#endif

static __always_inline __u64 known_or(__u64 address, __u64 otherwise)
{
	__u64 value = otherwise;

	if (address && bpf_probe_read_kernel(&value, sizeof(value), (void *)address))
		return otherwise;
	return value;
}

/* A byte of a page as the kernel's direct mapping has it. */
static __always_inline const unsigned char *page_address(__u64 page, __u64 page_array, __u64 page_offset)
{
	return (const unsigned char *)(page_offset + (page - page_array) / bpf_core_type_size(struct page) * 4096);
}

/* Copies `size` bytes at `offset` of what lies in pages into the room for a record; `shared` is the address of the
 * packet's skb_shared_info. struct bio_vec has been the same in all kernels that need this. One fragment is all that a DNS
 * message needs, but the length and the message may be written by two calls. A global function, which the verifier walks
 * once and not for each way that leads to it. */
__noinline int read_fragments(__u64 shared, __u32 offset, __u32 size)
{
	__u64 page_array = known_or(config.page_array_at, PAGE_ARRAY);
	__u64 page_offset = known_or(config.page_offset_at, PAGE_OFFSET);
	struct skb_shared_info *info = (void *)shared;
	__u32 count = BPF_CORE_READ(info, nr_frags);
	__u32 zero = 0, done = 0;
	struct record *r = bpf_map_lookup_elem(&room, &zero);

	if (!r)
		return 0;
	for (int i = 0; i < MAX_FRAGMENTS && i < count && done < size; i++) {
		struct bio_vec fragment = {};
		__u32 part;

		if (bpf_probe_read_kernel(&fragment, sizeof(fragment),
					  (void *)info + bpf_core_field_offset(info->frags) + i * sizeof(fragment)))
			break;
		if (offset >= fragment.bv_len) {
			offset -= fragment.bv_len;
			continue;
		}
		part = fragment.bv_len - offset;
		if (part > size - done)
			part = size - done;
		/* The verifier follows that each is below DNSX_MAX_PAYLOAD, but not that their sum is. */
		part &= DNSX_MAX_PAYLOAD - 1;
		if (bpf_probe_read_kernel(r->payload + (done & (DNSX_MAX_PAYLOAD - 1)), part,
					  page_address((__u64)fragment.bv_page, page_array, page_offset) +
						  fragment.bv_offset + offset))
			break;
		done += part;
		offset = 0;
	}
	return done;
}

/* Copies `size` bytes (at most DNSX_MAX_PAYLOAD) at `offset` from the data of r->skb into the room for a record. Returns
 * how many there are: all or, where fragments cannot be read, fewer. */
__noinline int read_payload(__u32 offset, __u32 size)
{
	__u32 zero = 0, here = size, linear;
	struct record *r = bpf_map_lookup_elem(&room, &zero);
	struct sk_buff *skb;

	if (!r)
		return 0;
	skb = (void *)r->skb;
	linear = BPF_CORE_READ(skb, len) - BPF_CORE_READ(skb, data_len);
	if (offset >= linear)
		return read_fragments((__u64)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end), offset - linear, size);
	if (here > linear - offset) /* rare: begins in the buffer and goes on in a page */
		here = linear - offset;
	if (here > DNSX_MAX_PAYLOAD)
		here = DNSX_MAX_PAYLOAD;
	return bpf_probe_read_kernel(r->payload, here, BPF_CORE_READ(skb, data) + offset) ? 0 : here;
}

/* The packet as the kernel's own reader sees it, fragments included. False: it is there. */
static __always_inline bool view_packet(struct sk_buff *skb, struct bpf_dynptr *view)
{
	return !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_dynptr_read) || kfunc_dynptr_from_skb(skb, 0, view);
}

static __always_inline __u32 read_view(struct bpf_dynptr *view, __u32 offset, unsigned char *to, __u32 size)
{
	return bpf_dynptr_read(to, size, view, offset, 0) ? 0 : size;
}

#endif
