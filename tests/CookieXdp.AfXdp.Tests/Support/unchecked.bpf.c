// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Reads the packet without a look at its end: what the verifier is there for. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int unchecked(struct xdp_md *ctx)
{
	return *(__u8 *)(long)ctx->data;
}

char _license[] SEC("license") = "Dual MIT/GPL";
