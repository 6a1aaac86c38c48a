/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* --port and --host in the kernel, for tools whose events have ports and addresses. What matched is collected over all
 * ends of an event that count, and judged at the end:
 *
 *	if (addresses.ports && !ports_pass(port_matches(src) | port_matches(dst))) return;
 *
 * The two lists are global functions, which the verifier walks once each instead of once for every way that leads to
 * them (up to Linux 5.10 such a function takes only scalars), and they collect instead of branching: each branch on an
 * item would double what the verifier has to follow, or narrow what it knows of the port. 64 items of each must load. */
#ifndef PLUMB_ADDRESS_FILTER_BPF_H
#define PLUMB_ADDRESS_FILTER_BPF_H

#include "bpf/address_filter.h"
#include "bpf/kernel.h"

const volatile struct address_filter addresses = {};

enum {
	MATCHES_INCLUDED = 1 << 0,
	MATCHES_EXCLUDED = 1 << 1,
};

/* 1 if low <= value <= high, else 0, without a branch. */
static __always_inline __u64 within(__u64 value, __u64 low, __u64 high)
{
	return 1 ^ (((value - low) | (high - value)) >> 63);
}

__noinline int port_matches(__u32 port)
{
	__u64 matches = 0;

	for (__u32 i = 0; i < FILTER_MAX_PORTS && i < addresses.ports; i++) {
		const volatile struct filter_port *p = &addresses.port[i];
		__u64 low = p->low, high = p->high, exclude = p->exclude & 1;

		matches |= within(port, low, high) << exclude;
		barrier_var(matches);
	}
	return matches;
}

/* The address in two halves, as it lies in memory. */
__noinline int host_halves_match(__u64 first, __u64 second, __u32 family)
{
	__u32 addr[4] = {(__u32)first, first >> 32, (__u32)second, second >> 32};
	__u64 matches = 0;

	for (__u32 i = 0; i < FILTER_MAX_HOSTS && i < addresses.hosts; i++) {
		const volatile struct filter_host *h = &addresses.host[i];
		__u64 exclude = h->exclude & 1;
		__u64 differs = ((addr[0] & h->mask[0]) ^ h->addr[0]) | ((addr[1] & h->mask[1]) ^ h->addr[1]) |
				((addr[2] & h->mask[2]) ^ h->addr[2]) | ((addr[3] & h->mask[3]) ^ h->addr[3]) |
				(h->family ^ family);

		matches |= ((differs - 1) >> 63) << exclude; /* the upper half of `differs` is 0 */
		barrier_var(matches);
	}
	return matches;
}

static __always_inline int host_matches(const __u32 *addr, __u32 family)
{
	return host_halves_match(addr[0] | (__u64)addr[1] << 32, addr[2] | (__u64)addr[3] << 32, family);
}

static __always_inline bool ports_pass(int matches)
{
	return !(matches & MATCHES_EXCLUDED) && (!addresses.some_ports || matches & MATCHES_INCLUDED);
}

static __always_inline bool hosts_pass(int matches)
{
	return !(matches & MATCHES_EXCLUDED) && (!addresses.some_hosts || matches & MATCHES_INCLUDED);
}

#endif
