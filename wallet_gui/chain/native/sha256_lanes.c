/* Many SHA-256 at a time: each element of a vector belongs to another message.
 *
 * Compiled once for each level; the vectors are as wide as the level allows. A lane that comes to
 * the end of its message takes the next one, so that messages of different lengths keep all lanes
 * busy. Source of the function: FIPS 180-4.
 */
#include "engine.h"

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

#define JOIN_(name, level) name##_##level
#define JOIN(name, level) JOIN_(name, level)

typedef uint32_t vec __attribute__((vector_size(4 * LANES)));
typedef uint64_t pairs __attribute__((vector_size(4 * LANES)));

typedef union {
    vec all;
    uint32_t lane[LANES];
} word;

#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

/* Sixteen bytes from each fourth lane, side by side. */
static inline vec gather(const uint8_t *const *from, size_t offset)
{
#if LANES == 16
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(from[0] + offset)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(from[4] + offset)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(from[8] + offset)), 2);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(from[12] + offset)), 3);
    return (vec)v;
#elif LANES == 8
    __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(from[0] + offset)));
    return (vec)_mm256_inserti128_si256(
        v, _mm_loadu_si128((const __m128i *)(from[4] + offset)), 1);
#else
    vec v;
    memcpy(&v, from[0] + offset, sizeof v);
    return v;
#endif
}

/* Within each group of four elements: low or high halves of both, alternating. */
#if LANES == 16
#define LOW_32(a, b) ((vec)_mm512_unpacklo_epi32((__m512i)(a), (__m512i)(b)))
#define HIGH_32(a, b) ((vec)_mm512_unpackhi_epi32((__m512i)(a), (__m512i)(b)))
#define LOW_64(a, b) ((vec)_mm512_unpacklo_epi64((__m512i)(a), (__m512i)(b)))
#define HIGH_64(a, b) ((vec)_mm512_unpackhi_epi64((__m512i)(a), (__m512i)(b)))
#elif LANES == 8
#define LOW_32(a, b) ((vec)_mm256_unpacklo_epi32((__m256i)(a), (__m256i)(b)))
#define HIGH_32(a, b) ((vec)_mm256_unpackhi_epi32((__m256i)(a), (__m256i)(b)))
#define LOW_64(a, b) ((vec)_mm256_unpacklo_epi64((__m256i)(a), (__m256i)(b)))
#define HIGH_64(a, b) ((vec)_mm256_unpackhi_epi64((__m256i)(a), (__m256i)(b)))
#else
#define LOW_32(a, b) ((vec){(a)[0], (b)[0], (a)[1], (b)[1]})
#define HIGH_32(a, b) ((vec){(a)[2], (b)[2], (a)[3], (b)[3]})
#define LOW_64(a, b) ((vec)(pairs){((pairs)(a))[0], ((pairs)(b))[0]})
#define HIGH_64(a, b) ((vec)(pairs){((pairs)(a))[1], ((pairs)(b))[1]})
#endif

static inline vec swap_bytes(vec x)
{
    x = ((x >> 8) & 0x00ff00ffu) | ((x & 0x00ff00ffu) << 8);
    return (x >> 16) | (x << 16);
}

/* Load one block of each lane: w[i] gets word i of all of them. */
static inline void load(vec w[16], const uint8_t *const *from)
{
    for (size_t i = 0; i < 4; i++) {
        vec a = gather(from + 0, 16 * i), b = gather(from + 1, 16 * i);
        vec c = gather(from + 2, 16 * i), d = gather(from + 3, 16 * i);
        vec ab = LOW_32(a, b), cd = LOW_32(c, d);
        w[4 * i + 0] = swap_bytes(LOW_64(ab, cd));
        w[4 * i + 1] = swap_bytes(HIGH_64(ab, cd));
        ab = HIGH_32(a, b);
        cd = HIGH_32(c, d);
        w[4 * i + 2] = swap_bytes(LOW_64(ab, cd));
        w[4 * i + 3] = swap_bytes(HIGH_64(ab, cd));
    }
}

#define ROUND(a, b, c, d, e, f, g, h, constant, word)                                             \
    do {                                                                                          \
        vec s1 = ROTR(e, 6) ^ ROTR(e, 11) ^ ROTR(e, 25);                                          \
        vec t1 = h + s1 + (g ^ (e & (f ^ g))) + (constant) + (word);                              \
        vec s0 = ROTR(a, 2) ^ ROTR(a, 13) ^ ROTR(a, 22);                                          \
        d += t1;                                                                                  \
        h = t1 + s0 + ((a & b) | (c & (a | b)));                                                  \
    } while (0)

#define EXPAND(i)                                                                                 \
    (w[(i) & 15] += (ROTR(w[((i) - 2) & 15], 17) ^ ROTR(w[((i) - 2) & 15], 19)                    \
                     ^ (w[((i) - 2) & 15] >> 10))                                                 \
                    + w[((i) - 7) & 15]                                                           \
                    + (ROTR(w[((i) - 15) & 15], 7) ^ ROTR(w[((i) - 15) & 15], 18)                 \
                       ^ (w[((i) - 15) & 15] >> 3)))

#define EIGHT(i, W)                                                                               \
    ROUND(a, b, c, d, e, f, g, h, k[(i) + 0], W((i) + 0));                                        \
    ROUND(h, a, b, c, d, e, f, g, k[(i) + 1], W((i) + 1));                                        \
    ROUND(g, h, a, b, c, d, e, f, k[(i) + 2], W((i) + 2));                                        \
    ROUND(f, g, h, a, b, c, d, e, k[(i) + 3], W((i) + 3));                                        \
    ROUND(e, f, g, h, a, b, c, d, k[(i) + 4], W((i) + 4));                                        \
    ROUND(d, e, f, g, h, a, b, c, k[(i) + 5], W((i) + 5));                                        \
    ROUND(c, d, e, f, g, h, a, b, k[(i) + 6], W((i) + 6));                                        \
    ROUND(b, c, d, e, f, g, h, a, k[(i) + 7], W((i) + 7))

#define PLAIN(i) w[i]

/* Work one block of each lane, as loaded, into the state. */
static inline __attribute__((always_inline)) void work(word state[8], vec w[16])
{
    const uint32_t *const k = SHA256_ROUNDS;
    vec a = state[0].all, b = state[1].all, c = state[2].all, d = state[3].all;
    vec e = state[4].all, f = state[5].all, g = state[6].all, h = state[7].all;
    EIGHT(0, PLAIN);
    EIGHT(8, PLAIN);
    for (int i = 16; i < 64; i += 16) {
        EIGHT(i, EXPAND);
        EIGHT(i + 8, EXPAND);
    }
    state[0].all += a;
    state[1].all += b;
    state[2].all += c;
    state[3].all += d;
    state[4].all += e;
    state[5].all += f;
    state[6].all += g;
    state[7].all += h;
}

/* Take `count` blocks of each lane. */
static void compress(word state[8], const uint8_t *const data[LANES], size_t count)
{
    const uint8_t *from[LANES];
    memcpy(from, data, sizeof from);
    for (; count; count--) {
        vec w[16];
        load(w, from);
        work(state, w);
        for (int lane = 0; lane < LANES; lane++)
            from[lane] += 64;
    }
}

static void digest(const word state[8], int lane, uint8_t *out)
{
    for (int i = 0; i < 8; i++)
        write_u32_be(out + 4 * i, state[i].lane[lane]);
}

/* --- short messages: all lanes begin and end together ---------------------------------------- */

#define SHORT 8 /* blocks, the padding included */

static void start(word state[8])
{
    const vec zero = {0};
    for (int i = 0; i < 8; i++)
        state[i].all = zero + SHA256_START[i];
}

static size_t padded_blocks(size_t size)
{
    return (size + 8) / 64 + 1;
}

/* Hash up to LANES messages, named by their indexes, that take `blocks` blocks each. */
static void hash_short(const span *messages, const uint16_t *indexes, int count, size_t blocks,
                       uint8_t *out)
{
    uint8_t padded[LANES][64 * SHORT];
    const uint8_t *from[LANES];
    word state[8];
    for (int lane = 0; lane < LANES; lane++) {
        from[lane] = padded[lane < count ? lane : 0];
        if (lane >= count)
            continue;
        const span *m = &messages[indexes[lane]];
        size_t whole = m->size / 64 * 64;
        if (whole)
            memcpy(padded[lane], m->data, whole);
        sha256_tail(padded[lane] + whole, m->data, m->size);
    }
    start(state);
    compress(state, from, blocks);
    /* The second hash is over the first one's digest, whose words are already where they belong. */
    const vec zero = {0};
    vec w[16];
    for (int i = 0; i < 8; i++)
        w[i] = state[i].all;
    w[8] = zero + 0x80000000u;
    for (int i = 9; i < 15; i++)
        w[i] = zero;
    w[15] = zero + 8 * HASH_SIZE;
    start(state);
    work(state, w);
    for (int lane = 0; lane < count; lane++)
        digest(state, lane, out + HASH_SIZE * indexes[lane]);
}

/* --- long messages: a lane that is done takes the next one ------------------------------------ */

/* A message in its lane: whole blocks where they lie, then the padded tail, then the second hash,
 * over the first one's digest. */
typedef struct {
    enum { BODY, TAIL, SECOND } stage;
    size_t blocks; /* left of this stage */
    size_t tail_blocks;
    size_t message;
    uint8_t tail[128];
} job;

static void reset(word state[8], int lane)
{
    for (int i = 0; i < 8; i++)
        state[i].lane[lane] = SHA256_START[i];
}

static void begin(job *j, word state[8], int lane, const span *messages, size_t message,
                  const uint8_t **from)
{
    const span *m = &messages[message];
    reset(state, lane);
    j->message = message;
    j->blocks = m->size / 64;
    j->tail_blocks = sha256_tail(j->tail, m->data, m->size);
    j->stage = BODY;
    *from = m->data;
    if (j->blocks == 0) {
        j->stage = TAIL;
        j->blocks = j->tail_blocks;
        *from = j->tail;
    }
}

/* Hash messages named by their indexes. */
static void hash_long(const span *messages, const uint16_t *indexes, size_t count, uint8_t *out)
{
    word state[8];
    job jobs[LANES];
    const uint8_t *from[LANES];
    size_t next = 0, busy = 0;
    int idle[LANES];

    for (int lane = 0; lane < LANES; lane++) {
        idle[lane] = next >= count;
        if (idle[lane]) {
            reset(state, lane);
        } else {
            begin(&jobs[lane], state, lane, messages, indexes[next++], &from[lane]);
            busy++;
        }
    }
    while (busy) {
        size_t steps = SIZE_MAX;
        const uint8_t *some = NULL;
        for (int lane = 0; lane < LANES; lane++) {
            if (!idle[lane] && jobs[lane].blocks < steps)
                steps = jobs[lane].blocks;
        }
        for (int lane = 0; lane < LANES; lane++) {
            if (!idle[lane])
                some = from[lane];
        }
        for (int lane = 0; lane < LANES; lane++) {
            if (idle[lane])
                from[lane] = some; /* something readable; what comes of it is not looked at */
        }
        compress(state, from, steps);
        for (int lane = 0; lane < LANES; lane++) {
            job *j = &jobs[lane];
            if (idle[lane])
                continue;
            from[lane] += 64 * steps;
            j->blocks -= steps;
            if (j->blocks)
                continue;
            if (j->stage == BODY) {
                j->stage = TAIL;
                j->blocks = j->tail_blocks;
                from[lane] = j->tail;
            } else if (j->stage == TAIL) {
                uint8_t first[HASH_SIZE];
                digest(state, lane, first);
                reset(state, lane);
                j->stage = SECOND;
                j->blocks = sha256_tail(j->tail, first, HASH_SIZE);
                from[lane] = j->tail;
            } else {
                digest(state, lane, out + HASH_SIZE * j->message);
                if (next < count) {
                    begin(j, state, lane, messages, indexes[next++], &from[lane]);
                } else {
                    idle[lane] = 1;
                    busy--;
                }
            }
        }
    }
}

/* Sort up to SLICE messages by how many blocks they take, and hash them. */
#define SLICE 256

static void hash_slice(const span *messages, size_t count, uint8_t *out)
{
    uint16_t waiting[SHORT + 1][LANES], rest[SLICE];
    int numbers[SHORT + 1] = {0};
    size_t rest_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t blocks = padded_blocks(messages[i].size);
        if (blocks > SHORT) {
            rest[rest_count++] = (uint16_t)i;
            continue;
        }
        waiting[blocks][numbers[blocks]++] = (uint16_t)i;
        if (numbers[blocks] == LANES) {
            hash_short(messages, waiting[blocks], LANES, blocks, out);
            numbers[blocks] = 0;
        }
    }
    for (size_t blocks = 1; blocks <= SHORT; blocks++) {
        if (numbers[blocks])
            hash_short(messages, waiting[blocks], numbers[blocks], blocks, out);
    }
    hash_long(messages, rest, rest_count, out);
}

void JOIN(sha256d_lanes, LEVEL)(const span *messages, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i += SLICE)
        hash_slice(messages + i, count - i < SLICE ? count - i : SLICE, out + HASH_SIZE * i);
}
