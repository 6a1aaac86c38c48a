/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Constants of --port and --host, set by lib/run/address_options.h, read by address_filter.bpf.h. Read by C (BPF) and
 * C++. In each list nothing excluded may match; if it names anything to include, one of those must. */
#ifndef PLUMB_ADDRESS_FILTER_H
#define PLUMB_ADDRESS_FILTER_H

#include <linux/types.h>

#define FILTER_MAX_PORTS 64
#define FILTER_MAX_HOSTS 64

struct filter_port {
	__u16 low;  /* host byte order */
	__u16 high; /* inclusive */
	__u8 exclude;
	__u8 padding;
};

struct filter_host {
	__u32 addr[4]; /* network byte order, IPv4 in the first word; zero where the mask is */
	__u32 mask[4]; /* network byte order, set bits for the prefix; all ones up to the end for one address */
	__u8 family;   /* AF_INET or AF_INET6 */
	__u8 exclude;
	__u16 padding;
};

struct address_filter {
	__u32 ports; /* number of entries of `port`; 0: all */
	__u32 hosts; /* number of entries of `host`; 0: all */
	struct filter_port port[FILTER_MAX_PORTS];
	struct filter_host host[FILTER_MAX_HOSTS];
	__u8 some_ports; /* `port` names some to include */
	__u8 some_hosts;
	__u8 padding[6];
};

#ifdef __cplusplus
static_assert(sizeof(address_filter) == 16 + 6 * FILTER_MAX_PORTS + 36 * FILTER_MAX_HOSTS);
#else
_Static_assert(sizeof(struct address_filter) == 16 + 6 * FILTER_MAX_PORTS + 36 * FILTER_MAX_HOSTS,
	       "shared with the user side");
#endif

#endif
