/* SHA-256 by the processor's own instructions, where it has them: x86 SHA extensions, Armv8 SHA2.
 *
 * This file alone is compiled for them; whether they may be called is asked at run time. Source of
 * the order of the instructions: Intel, "Intel SHA Extensions" (2013); Arm C Language Extensions.
 */
#include "engine.h"

#if defined(__x86_64__) && defined(__SHA__)
#include <immintrin.h>

#define FOUR(words, i)                                                                            \
    do {                                                                                          \
        __m128i sum_ = _mm_add_epi32(                                                             \
            words, _mm_loadu_si128((const __m128i *)(const void *)&SHA256_ROUNDS[i]));            \
        low = _mm_sha256rnds2_epu32(low, high, sum_);                                             \
        high = _mm_sha256rnds2_epu32(high, low, _mm_shuffle_epi32(sum_, 0x0e));                   \
    } while (0)

/* The schedule's next four words, from the sixteen before: oldest first. */
#define EXPAND(w0, w1, w2, w3)                                                                    \
    w0 = _mm_sha256msg2_epu32(                                                                    \
        _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3)

void sha256_instructions(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abcd = _mm_loadu_si128((const __m128i *)(void *)state);
    __m128i efgh = _mm_loadu_si128((const __m128i *)(void *)(state + 4));
    /* The instructions want the state as ABEF and CDGH, from the top down. */
    __m128i cdab = _mm_shuffle_epi32(abcd, 0xb1), hgfe = _mm_shuffle_epi32(efgh, 0x1b);
    __m128i high = _mm_alignr_epi8(cdab, hgfe, 8);    /* ABEF */
    __m128i low = _mm_blend_epi16(hgfe, cdab, 0xf0);  /* CDGH */
    for (; count; count--, blocks += 64) {
        const __m128i *from = (const __m128i *)(const void *)blocks;
        __m128i low_before = low, high_before = high;
        __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128(from + 0), swap);
        __m128i w1 = _mm_shuffle_epi8(_mm_loadu_si128(from + 1), swap);
        __m128i w2 = _mm_shuffle_epi8(_mm_loadu_si128(from + 2), swap);
        __m128i w3 = _mm_shuffle_epi8(_mm_loadu_si128(from + 3), swap);
        FOUR(w0, 0);
        FOUR(w1, 4);
        FOUR(w2, 8);
        FOUR(w3, 12);
        for (int i = 16; i < 64; i += 16) {
            EXPAND(w0, w1, w2, w3);
            FOUR(w0, i);
            EXPAND(w1, w2, w3, w0);
            FOUR(w1, i + 4);
            EXPAND(w2, w3, w0, w1);
            FOUR(w2, i + 8);
            EXPAND(w3, w0, w1, w2);
            FOUR(w3, i + 12);
        }
        low = _mm_add_epi32(low, low_before);
        high = _mm_add_epi32(high, high_before);
    }
    __m128i feba = _mm_shuffle_epi32(high, 0x1b), dchg = _mm_shuffle_epi32(low, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#elif defined(__aarch64__) && (defined(__ARM_FEATURE_SHA2) || defined(__ARM_FEATURE_CRYPTO))
#include <arm_neon.h>

#define FOUR(words, i)                                                                            \
    do {                                                                                          \
        uint32x4_t sum_ = vaddq_u32(words, vld1q_u32(&SHA256_ROUNDS[i]));                         \
        uint32x4_t before_ = abcd;                                                                \
        abcd = vsha256hq_u32(abcd, efgh, sum_);                                                   \
        efgh = vsha256h2q_u32(efgh, before_, sum_);                                               \
    } while (0)

#define EXPAND(w0, w1, w2, w3) w0 = vsha256su1q_u32(vsha256su0q_u32(w0, w1), w2, w3)

void sha256_instructions(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
    for (; count; count--, blocks += 64) {
        uint32x4_t abcd_before = abcd, efgh_before = efgh;
        uint32x4_t w0 = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks)));
        uint32x4_t w1 = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 16)));
        uint32x4_t w2 = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 32)));
        uint32x4_t w3 = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 48)));
        FOUR(w0, 0);
        FOUR(w1, 4);
        FOUR(w2, 8);
        FOUR(w3, 12);
        for (int i = 16; i < 64; i += 16) {
            EXPAND(w0, w1, w2, w3);
            FOUR(w0, i);
            EXPAND(w1, w2, w3, w0);
            FOUR(w1, i + 4);
            EXPAND(w2, w3, w0, w1);
            FOUR(w2, i + 8);
            EXPAND(w3, w0, w1, w2);
            FOUR(w3, i + 12);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

#else
#define NO_INSTRUCTIONS

void sha256_instructions(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    sha256_portable(state, blocks, count);
}

#endif

int sha256_is_compiled(void)
{
#if defined(NO_INSTRUCTIONS)
    return 0;
#else
    return 1;
#endif
}
