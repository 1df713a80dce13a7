/* Scripts to look for, and their SipHash-2-4, several at a time. Part of match.c: compiled for each
 * level, with vectors as wide as the level allows. Source: Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF".
 */
#ifndef WALLET_SCRIPTS_H
#define WALLET_SCRIPTS_H

#include "engine.h"

#include <stdlib.h>

#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX2__)
#define WIDTH 4
#else
#define WIDTH 2
#endif
#define STEP (2 * WIDTH) /* two vectors in turns, since the rounds are one long chain */

typedef uint64_t vec __attribute__((vector_size(8 * WIDTH)));

typedef struct {
    size_t count;
    size_t stride; /* the count rounded up to STEP */
    size_t words;
    uint64_t *columns; /* columns[w * stride + i]: word w of script i */
} group;

typedef struct {
    group *groups;
    size_t group_count;
    size_t count; /* of scripts */
    uint64_t *columns;
} prepared;

static int prepare(prepared *p, const script_set *set)
{
    size_t total = 0;
    memset(p, 0, sizeof *p);
    for (size_t g = 0; g < set->groups; g++)
        total += (set->counts[g] + STEP) * set->words[g];
    p->groups = calloc(set->groups + 1, sizeof *p->groups);
    p->columns = calloc(total + 1, sizeof *p->columns);
    if (!p->groups || !p->columns)
        return 0;
    p->group_count = set->groups;
    uint64_t *column = p->columns;
    const uint8_t *from = set->packed;
    for (size_t g = 0; g < set->groups; g++) {
        group *made = &p->groups[g];
        made->count = set->counts[g];
        made->words = set->words[g];
        made->stride = (made->count + STEP - 1) / STEP * STEP;
        made->columns = column;
        for (size_t i = 0; i < made->count; i++) {
            for (size_t w = 0; w < made->words; w++, from += 8)
                column[w * made->stride + i] = read_u64(from);
        }
        column += made->stride * made->words;
        p->count += made->count;
    }
    return 1;
}

#define ROTL(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

#define ROUND_OF(v)                                                                               \
    v##0 += v##1, v##2 += v##3, v##1 = ROTL(v##1, 13) ^ v##0, v##3 = ROTL(v##3, 16) ^ v##2,       \
    v##0 = ROTL(v##0, 32), v##2 += v##1, v##0 += v##3, v##1 = ROTL(v##1, 17) ^ v##2,              \
    v##3 = ROTL(v##3, 21) ^ v##0, v##2 = ROTL(v##2, 32)

#define ROUND                                                                                     \
    do {                                                                                          \
        ROUND_OF(a);                                                                              \
        ROUND_OF(b);                                                                              \
    } while (0)

static inline vec load(const uint64_t *from)
{
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* The hashes of STEP scripts of a group from `at` on. */
static inline void siphash(const group *g, size_t at, uint64_t k0, uint64_t k1,
                           uint64_t hashes[STEP])
{
    const vec zero = {0};
    vec a0 = zero + (k0 ^ 0x736f6d6570736575u), b0 = a0;
    vec a1 = zero + (k1 ^ 0x646f72616e646f6du), b1 = a1;
    vec a2 = zero + (k0 ^ 0x6c7967656e657261u), b2 = a2;
    vec a3 = zero + (k1 ^ 0x7465646279746573u), b3 = a3;
    const uint64_t *word = g->columns + at;
    for (size_t w = 0; w < g->words; w++, word += g->stride) {
        vec x = load(word), y = load(word + WIDTH);
        a3 ^= x;
        b3 ^= y;
        ROUND;
        ROUND;
        a0 ^= x;
        b0 ^= y;
    }
    a2 ^= zero + 0xff;
    b2 ^= zero + 0xff;
    ROUND;
    ROUND;
    ROUND;
    ROUND;
    a0 ^= a1 ^ a2 ^ a3;
    b0 ^= b1 ^ b2 ^ b3;
    memcpy(hashes, &a0, sizeof a0);
    memcpy(hashes + WIDTH, &b0, sizeof b0);
}

#endif
