/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the XDP program and the engine must agree on. The engine's copy is
 * engine/CookieXdp.Engine/Control/XdpProgramContract.cs; a test compares them.
 */
#ifndef COOKIEXDP_BPF_H
#define COOKIEXDP_BPF_H

#include <linux/types.h>

#define COOKIEXDP_MAX_PREFIXES	64
#define COOKIEXDP_MAX_BACKENDS	1024
#define COOKIEXDP_MAX_QUEUES	64
#define COOKIEXDP_MAX_FRAGMENTED	4096

/* An engine that gave no sign of life for so long is dead or hung. */
#define COOKIEXDP_DEAD_AFTER_NS	2000000000LL

/* Key of `prefixes`: the /48 as it stands in an address, and two zero bytes. */
struct cookiexdp_prefix {
	__u8 bytes[6];
	__u8 zero[2];
};

/* Value of `prefixes`. */
enum cookiexdp_prefix_flags {
	/* What the engine would get goes to the kernel while it is down (route mode). */
	COOKIEXDP_PASS_WHEN_DOWN	= 1 << 0,
	/* The prefix is on-link: neighbour solicitations for it are the engine's. */
	COOKIEXDP_ON_LINK		= 1 << 1,
};

/* Key of `backends`; the port in network byte order. */
struct cookiexdp_backend {
	__u8 address[16];
	__be16 port;
	__u16 zero;
};

/* Key of `fragmented`: what the fragments of one packet have in common. */
struct cookiexdp_fragmented {
	__u8 source[16];
	__u8 destination[16];
	__be32 identification;
};

enum cookiexdp_role {
	COOKIEXDP_UPLINK,
	COOKIEXDP_INSIDE,
};

/* Why a frame went where it went. Of each frame exactly one is counted. */
enum cookiexdp_reason {
	COOKIEXDP_REDIRECTED,		/* to the engine */
	COOKIEXDP_PASSED,		/* to the kernel: not ours */
	COOKIEXDP_NOT_FOR_ENGINE,	/* dropped: to a prefix, but no TCP or ICMPv6 */
	COOKIEXDP_TRUNCATED,		/* dropped: to a prefix, and no whole IPv6 header */
	COOKIEXDP_NO_SOCKET,		/* dropped: the queue has no AF_XDP socket */
	COOKIEXDP_ENGINE_DOWN,		/* dropped: the engine is down or hung */
	COOKIEXDP_ENGINE_DOWN_PASSED,	/* to the kernel: the same, and whenDown = "pass" */
	COOKIEXDP_REASONS,
};

/* Index into `counters` is role * COOKIEXDP_REASON_STRIDE + reason. */
#define COOKIEXDP_REASON_STRIDE	8

#endif
