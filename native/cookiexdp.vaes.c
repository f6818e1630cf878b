// SPDX-License-Identifier: MIT
/*
 * FF1 for processors with vector AES and AVX-512, which .NET cannot write yet:
 * four messages in a register, sixteen at a time. The other forms,
 * engine/CookieXdp.Cookies/Forms, do the same; the tests hold them against each other.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS		10	/* of FF1 */
#define AES_ROUNDS	10
#define CONSTANTS	11	/* index of the first round's constant in a key, behind the round keys */
#define WIDTH		4	/* registers at a time; more gained nothing */

#define NO		0x80

/* Element 0 or 1 of a message, its low 40 bits big-endian, to the block's end. */
static const uint8_t take[2][16] = {
	{ NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 4, 3, 2, 1, 0 },
	{ NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 12, 11, 10, 9, 8 },
};

/* The same of a round's output, bytes 7 to 11, to element 0 or 1. */
static const uint8_t put[2][16] = {
	{ 11, 10, 9, 8, 7, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
	{ NO, NO, NO, NO, NO, NO, NO, NO, 11, 10, 9, 8, 7, NO, NO, NO },
};

#define AVX512 __attribute__((target("avx512f,avx512bw,vaes"), always_inline)) static inline
#define EACH _Pragma("GCC unroll 4") for (int i = 0; i < WIDTH; i++)

AVX512 __m512i four(const uint8_t bytes[16])
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)bytes));
}

/* One round: element `changed` becomes it plus or minus what the other one enciphers to. */
AVX512 void ff1_round(__m512i *s, const __m512i *const *keys, __m512i block_mask,
		      int changed, int round, int decrypt)
{
	const __m512i from = four(take[!changed]), to = four(put[changed]);
	__m512i x[WIDTH];

	/* (half & mask) ^ constant: above the mask a half may hold anything until the end. */
	EACH x[i] = _mm512_ternarylogic_epi64(_mm512_shuffle_epi8(s[i], from), block_mask,
					      keys[i][CONSTANTS + round], 0x6a);
#pragma GCC unroll 9
	for (int r = 1; r < AES_ROUNDS; r++)
		EACH x[i] = _mm512_aesenc_epi128(x[i], keys[i][r]);
	EACH x[i] = _mm512_aesenclast_epi128(x[i], keys[i][AES_ROUNDS]);
	EACH x[i] = _mm512_shuffle_epi8(x[i], to);
	EACH s[i] = decrypt ? _mm512_sub_epi64(s[i], x[i]) : _mm512_add_epi64(s[i], x[i]);
}

AVX512 void ff1_sixteen(__m512i *halves, const __m512i *const *keys, __m512i mask, int decrypt)
{
	const __m512i block_mask = _mm512_shuffle_epi8(mask, four(take[0]));
	__m512i s[WIDTH];

	EACH s[i] = _mm512_loadu_si512(halves + i);
	for (int i = 0; i < ROUNDS; i += 2) {
		int round = decrypt ? ROUNDS - 1 - i : i;

		ff1_round(s, keys, block_mask, decrypt, round, decrypt);
		ff1_round(s, keys, block_mask, !decrypt, decrypt ? round - 1 : round + 1, decrypt);
	}
	EACH _mm512_storeu_si512(halves + i, _mm512_and_si512(s[i], mask));
}

AVX512 void ff1(__m512i *halves, const __m512i *const *keys, size_t registers,
		uint64_t half_mask, int decrypt)
{
	const __m512i mask = _mm512_set1_epi64((long long)half_mask);

	for (; registers >= WIDTH; registers -= WIDTH, halves += WIDTH, keys += WIDTH)
		ff1_sixteen(halves, keys, mask, decrypt);
}

/*
 * halves: four messages a register. keys: for each register its key's vectors, of
 * 64 bytes, the first round key added to the constants. registers: how many, a multiple of
 * four. half_mask: ones where a half has bits.
 */
__attribute__((target("avx512f,avx512bw,vaes")))
void cookiexdp_vaes_encrypt(void *halves, const void *keys, size_t registers, uint64_t half_mask)
{
	ff1(halves, keys, registers, half_mask, 0);
}

__attribute__((target("avx512f,avx512bw,vaes")))
void cookiexdp_vaes_decrypt(void *halves, const void *keys, size_t registers, uint64_t half_mask)
{
	ff1(halves, keys, registers, half_mask, 1);
}

int cookiexdp_vaes_supported(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("vaes");
}
