// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Decides which frames are the engine's and which the kernel's. It opens no
 * cookie and keeps no state: all that is policy happens behind AF_XDP.
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "cookiexdp.bpf.h"

/* linux/in.h leaves these to linux/in6.h, which does not have them all. */
#define NEXT_HOP_BY_HOP		0
#define NEXT_ROUTING		43
#define NEXT_FRAGMENT		44
#define NEXT_AUTHENTICATION	51
#define NEXT_ICMPV6		58
#define NEXT_DESTINATION	60
#define NEXT_MOBILITY		135
#define NEXT_HIP		139
#define NEXT_SHIM6		140

/* RFC 4443: types 1 to 4 report errors and embed the packet they are about. */
#define ICMPV6_FIRST_ERROR	1
#define ICMPV6_LAST_ERROR	4
/* RFC 4861 section 4.3. */
#define ND_SOLICITATION		135

#define MAX_VLAN_TAGS		2
/* Extension headers before a backend's ports; the engine's own bound. */
#define MAX_EXTENSIONS		6

/* RFC 8200 section 4.5: 13 bits of position, two reserved, one for more. */
#define FRAGMENT_POSITION	0xfff8
#define FRAGMENT_MORE		0x0001

struct vlan_header {
	__be16 tag;
	__be16 protocol;
};

/* What all extension headers begin with; a fragment header's all eight bytes. */
struct extension_header {
	__u8 next;
	__u8 length;
	__be16 position;
	__be32 identification;
};

struct nd_solicitation {
	struct icmp6hdr icmp;
	struct in6_addr target;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, COOKIEXDP_MAX_PREFIXES);
	__type(key, struct cookiexdp_prefix);
	__type(value, __u32);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, COOKIEXDP_MAX_BACKENDS);
	__type(key, struct cookiexdp_backend);
	__type(value, __u32);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, COOKIEXDP_MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} uplink_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, COOKIEXDP_MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} inside_sockets SEC(".maps");

/*
 * Backends' packets whose first fragment went to the engine: those that follow
 * have no ports, and may as well be the backend's own mail, which is the kernel's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, COOKIEXDP_MAX_FRAGMENTED);
	__type(key, struct cookiexdp_fragmented);
	__type(value, __u32);
} fragmented SEC(".maps");

/* CLOCK_MONOTONIC nanoseconds of the engine's last sign of life, 0 before it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * COOKIEXDP_REASON_STRIDE);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline int verdict(enum cookiexdp_role role,
				   enum cookiexdp_reason reason, int action)
{
	__u32 index = role * COOKIEXDP_REASON_STRIDE + reason;
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		++*counter;
	return action;
}

static __always_inline bool engine_lives(void)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&heartbeat, &zero);

	if (!last || !*last)
		return false;
	/*
	 * The coarse clock costs a memory read, and lags the one that the
	 * engine reads by up to a tick: hence signed.
	 */
	return (__s64)(bpf_ktime_get_coarse_ns() - *last) < COOKIEXDP_DEAD_AFTER_NS;
}

static __always_inline int to_engine(struct xdp_md *ctx, enum cookiexdp_role role,
				     __u32 prefix_flags)
{
	long action;

	if (!engine_lives()) {
		if (prefix_flags & COOKIEXDP_PASS_WHEN_DOWN)
			return verdict(role, COOKIEXDP_ENGINE_DOWN_PASSED, XDP_PASS);
		return verdict(role, COOKIEXDP_ENGINE_DOWN, XDP_DROP);
	}
	if (role == COOKIEXDP_UPLINK)
		action = bpf_redirect_map(&uplink_sockets, ctx->rx_queue_index, XDP_DROP);
	else
		action = bpf_redirect_map(&inside_sockets, ctx->rx_queue_index, XDP_DROP);
	return verdict(role, action == XDP_REDIRECT ? COOKIEXDP_REDIRECTED :
						      COOKIEXDP_NO_SOCKET, action);
}

/*
 * Where the IPv6 header begins, or NULL for a frame that is no IPv6. Nothing is
 * promised about how much of the header there is.
 */
static __always_inline struct ipv6hdr *find_ipv6(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct vlan_header *vlan = (void *)(ethernet + 1);
	__be16 protocol;

	if ((void *)vlan > end)
		return NULL;
	protocol = ethernet->h_proto;
#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(vlan + 1) > end)
			return NULL;
		protocol = vlan->protocol;
		vlan++;
	}
	return protocol == bpf_htons(ETH_P_IPV6) ? (void *)vlan : NULL;
}

/* The flags of the prefix in which an address lies, or NULL. Reads six bytes. */
static __always_inline __u32 *find_prefix(const void *address)
{
	struct cookiexdp_prefix key = {};

	__builtin_memcpy(key.bytes, address, sizeof(key.bytes));
	return bpf_map_lookup_elem(&prefixes, &key);
}

/* Whether a TCP connection's own headers follow, or may follow. */
static __always_inline bool may_carry_tcp(__u8 next_header)
{
	switch (next_header) {
	case IPPROTO_TCP:
	case NEXT_HOP_BY_HOP:
	case NEXT_ROUTING:
	case NEXT_FRAGMENT:
	case NEXT_AUTHENTICATION:
	case NEXT_DESTINATION:
	case NEXT_MOBILITY:
	case NEXT_HIP:
	case NEXT_SHIM6:
		return true;
	default:
		return false;
	}
}

/*
 * The target of a neighbour solicitation sent to a multicast group: it is the
 * target that lies in an on-link prefix then, not the destination.
 */
static __always_inline __u32 *find_solicited_prefix(struct ipv6hdr *ip, void *end)
{
	struct nd_solicitation *solicitation = (void *)(ip + 1);
	__u32 *flags;

	if (ip->nexthdr != NEXT_ICMPV6 || ip->daddr.s6_addr[0] != 0xff)
		return NULL;
	if ((void *)(solicitation + 1) > end)
		return NULL;
	if (solicitation->icmp.icmp6_type != ND_SOLICITATION)
		return NULL;
	flags = find_prefix(&solicitation->target);
	return flags && (*flags & COOKIEXDP_ON_LINK) ? flags : NULL;
}

/* -1 where the frame is none of the uplink's. */
static __always_inline int judge_uplink(struct xdp_md *ctx, struct ipv6hdr *ip)
{
	void *end = (void *)(long)ctx->data_end;
	__u32 *flags;

	/* What is cut off before its destination is known is the kernel's. */
	if ((void *)&ip->daddr + sizeof(((struct cookiexdp_prefix *)0)->bytes) > end)
		return -1;
	flags = find_prefix(&ip->daddr);
	if (!flags) {
		if ((void *)(ip + 1) > end)
			return -1;
		flags = find_solicited_prefix(ip, end);
		return flags ? to_engine(ctx, COOKIEXDP_UPLINK, *flags) : -1;
	}
	if ((void *)(ip + 1) > end || ip->version != 6)
		return verdict(COOKIEXDP_UPLINK, COOKIEXDP_TRUNCATED, XDP_DROP);
	if (ip->nexthdr != NEXT_ICMPV6 && !may_carry_tcp(ip->nexthdr))
		return verdict(COOKIEXDP_UPLINK, COOKIEXDP_NOT_FOR_ENGINE, XDP_DROP);
	return to_engine(ctx, COOKIEXDP_UPLINK, *flags);
}

static __always_inline bool is_backend(const struct in6_addr *address, __be16 port)
{
	struct cookiexdp_backend key = { .port = port };

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&backends, &key) != NULL;
}

/*
 * Where a packet's TCP header is behind a bounded number of extension headers,
 * and in the upper half where its fragment header is; each 0 where there is
 * none. Offsets in the frame. A function of its own, which the verifier looks at
 * once, and reading by copy: no path of the walk meets a path of its caller.
 */
__noinline int find_tcp(struct xdp_md *ctx, __u32 ip_offset)
{
	__u32 at = ip_offset + sizeof(struct ipv6hdr), fragment = 0;
	struct extension_header header;
	__u8 next;

	if (bpf_xdp_load_bytes(ctx, ip_offset + offsetof(struct ipv6hdr, nexthdr), &next, 1))
		return 0;
	for (int i = 0; i <= MAX_EXTENSIONS; i++) {
		if (next == IPPROTO_TCP)
			return at | fragment << 16;
		if (bpf_xdp_load_bytes(ctx, at, &header, sizeof(header)))
			return fragment << 16;
		switch (next) {
		case NEXT_FRAGMENT:
			fragment = at;
			if (header.position & bpf_htons(FRAGMENT_POSITION))
				return fragment << 16;
			at += sizeof(header);
			break;
		case NEXT_AUTHENTICATION:
			at += (header.length + 2) * 4;
			break;
		case NEXT_HOP_BY_HOP:
		case NEXT_ROUTING:
		case NEXT_DESTINATION:
			at += (header.length + 1) * 8;
			break;
		default:
			return 0;
		}
		next = header.next;
	}
	return 0;
}

/* Whether the packet at an offset has a backend's ports behind extension headers, or its first fragment had. */
static __always_inline bool is_of_backend(struct xdp_md *ctx, __u32 ip_offset, bool as_source)
{
	struct cookiexdp_fragmented key = {};
	struct extension_header fragment = {};
	__u32 found = find_tcp(ctx, ip_offset), seen = 1;
	__be16 ports[2];

	if (bpf_xdp_load_bytes(ctx, ip_offset + offsetof(struct ipv6hdr, saddr), &key, 2 * sizeof(key.source)))
		return false;
	if (found >> 16 && bpf_xdp_load_bytes(ctx, found >> 16, &fragment, sizeof(fragment)))
		return false;
	key.identification = fragment.identification;
	if (!(found & 0xffff))
		return as_source && fragment.position & bpf_htons(FRAGMENT_POSITION) &&
		       bpf_map_lookup_elem(&fragmented, &key);
	if (bpf_xdp_load_bytes(ctx, found & 0xffff, ports, sizeof(ports)))
		return false;
	if (!is_backend((void *)(as_source ? key.source : key.destination), ports[!as_source]))
		return false;
	if (as_source && fragment.position & bpf_htons(FRAGMENT_MORE))
		bpf_map_update_elem(&fragmented, &key, &seen, BPF_ANY);
	return true;
}

/* -1 where the frame is none of the inside's. */
static __always_inline int judge_inside(struct xdp_md *ctx, struct ipv6hdr *ip)
{
	void *end = (void *)(long)ctx->data_end;
	struct icmp6hdr *icmp = (void *)(ip + 1);
	struct ipv6hdr *quoted = (void *)(icmp + 1);
	__u32 offset = (void *)ip - (void *)(long)ctx->data;
	__be16 *ports = (void *)(ip + 1);
	bool ours;

	if ((void *)(ports + 2) > end)
		return -1;
	if (ip->nexthdr == IPPROTO_TCP)
		ours = is_backend(&ip->saddr, ports[0]);
	else if (ip->nexthdr != NEXT_ICMPV6)
		ours = may_carry_tcp(ip->nexthdr) && is_of_backend(ctx, offset, true);
	else if ((void *)(quoted + 1) > end || icmp->icmp6_type < ICMPV6_FIRST_ERROR ||
		 icmp->icmp6_type > ICMPV6_LAST_ERROR)
		ours = false;
	else /* it reports about a packet that was sent to a backend */
		ours = is_of_backend(ctx, offset + sizeof(*ip) + sizeof(*icmp), false);
	return ours ? to_engine(ctx, COOKIEXDP_INSIDE, 0) : -1;
}

SEC("xdp")
int xdp_uplink(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = find_ipv6(ctx);
	int action = ip ? judge_uplink(ctx, ip) : -1;

	return action >= 0 ? action : verdict(COOKIEXDP_UPLINK, COOKIEXDP_PASSED, XDP_PASS);
}

SEC("xdp")
int xdp_inside(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = find_ipv6(ctx);
	int action = ip ? judge_inside(ctx, ip) : -1;

	return action >= 0 ? action : verdict(COOKIEXDP_INSIDE, COOKIEXDP_PASSED, XDP_PASS);
}

/* For a host whose uplink and inside are one interface. */
SEC("xdp")
int xdp_both(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = find_ipv6(ctx);
	int action = -1;

	if (ip) {
		action = judge_uplink(ctx, ip);
		if (action < 0)
			action = judge_inside(ctx, ip);
	}
	return action >= 0 ? action : verdict(COOKIEXDP_UPLINK, COOKIEXDP_PASSED, XDP_PASS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
