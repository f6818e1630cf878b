// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What the tests of the AF_XDP library attach: no protocol, one ethertype, exact counts. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TEST_ETHERTYPE 0x88b5

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

/* 0 redirected, 1 no socket, 2 counted by count_and_drop */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 index)
{
	__u64 *counter = bpf_map_lookup_elem(&counts, &index);

	if (counter)
		++*counter;
}

static __always_inline int is_test_frame(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	return (void *)(ethernet + 1) <= (void *)(long)ctx->data_end &&
	       ethernet->h_proto == bpf_htons(TEST_ETHERTYPE);
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	long action;

	if (!is_test_frame(ctx))
		return XDP_PASS;
	action = bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
	count(action == XDP_REDIRECT ? 0 : 1);
	return action;
}

SEC("xdp")
int count_and_drop(struct xdp_md *ctx)
{
	if (!is_test_frame(ctx))
		return XDP_PASS;
	count(2);
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
