/* BIP158 filters matched against scripts: hashing, decoding and comparing in one pass.
 *
 * Compiled once for each level. For each filter the scripts are hashed into its range (SipHash-2-4,
 * several at a time) and the hashes' low bits marked in a bitmap that fits a near cache. Decoding
 * then needs one look into the bitmap per value; the few values that pass it are kept and compared
 * exactly. Several filters are decoded in turns, since each codeword's place depends on the one
 * before and the processor would wait.
 *
 * A filter is decoded strictly: see `gcs_scalar.decode`, which refuses exactly the same. Sources:
 * BIP158, Core blockfilter.cpp.
 */
#include "scripts.h"

#if defined(__LZCNT__)
#include <immintrin.h>
#endif

#define JOIN_(name, level) name##_##level
#define JOIN(name, level) JOIN_(name, level)

#define P 19
#define M 784931u
#define MIN_CODEWORD (P + 1)
#define MAX_FILTER_SIZE 1000000u
#define SLOTS 2          /* filters decoded in turns; more want more registers than there are */
#define WINDOW 57        /* bits that eight bytes hold from any bit of the first on */
#define MARGIN 16        /* bytes behind a filter that may be read, whatever they are */
#define KEPT 1024        /* values that passed the bitmap, compared when there are so many */
#define KEPT_MAP_BITS 12 /* of the small bitmap by which scripts are sorted out again */
#define MAP_BITS_PER_SCRIPT 64
#define MAX_MAP_BITS ((size_t)1 << 24)

/* --- one filter ----------------------------------------------------------------------------- */

/* A place where a filter is decoded. */
typedef struct {
    const uint8_t *bits; /* readable up to MARGIN bytes behind `end` */
    uint64_t position;   /* bits from `bits` on, to the next codeword */
    uint64_t end;        /* bits */
    uint64_t value;      /* the last one */
    uint64_t left;       /* codewords */
    uint64_t limit;      /* what values are below */
    size_t index;        /* of the filter in its run */
    int is_hit;
    size_t kept_count;
    uint64_t *kept;    /* ascending */
    uint64_t *queries; /* the scripts' hashes, in no order */
    uint64_t *map;
    uint8_t *copy; /* for filters without a margin */
} slot;

typedef struct {
    prepared scripts;
    uint64_t map_mask;
    size_t map_words;
    slot slots[SLOTS];
    uint8_t *memory;
} workspace;

static void destroy(workspace *space)
{
    free(space->scripts.groups);
    free(space->scripts.columns);
    free(space->memory);
}

static int create(workspace *space, const script_set *set, size_t largest_copy)
{
    memset(space, 0, sizeof *space);
    if (!prepare(&space->scripts, set))
        return 0;
    size_t bits = 4096;
    while (bits < MAP_BITS_PER_SCRIPT * space->scripts.count && bits < MAX_MAP_BITS)
        bits *= 2;
    space->map_mask = bits - 1;
    space->map_words = bits / 64;
    size_t copy_words = (largest_copy + MARGIN + 7) / 8;
    size_t words = space->map_words + space->scripts.count + KEPT + copy_words;
    space->memory = malloc(SLOTS * words * sizeof(uint64_t));
    if (!space->memory)
        return 0;
    uint64_t *at = (uint64_t *)(void *)space->memory;
    for (int i = 0; i < SLOTS; i++) {
        space->slots[i].map = at;
        at += space->map_words;
        space->slots[i].queries = at;
        at += space->scripts.count;
        space->slots[i].kept = at;
        at += KEPT;
        space->slots[i].copy = (uint8_t *)at;
        at += copy_words;
    }
    return 1;
}

/* Map the scripts into the filter's range, and mark where they are. */
static void mark(workspace *space, slot *s, const uint8_t *block_hash)
{
    uint64_t k0 = read_u64(block_hash), k1 = read_u64(block_hash + 8);
    size_t done = 0;
    memset(s->map, 0, space->map_words * sizeof *s->map);
    for (size_t g = 0; g < space->scripts.group_count; g++) {
        const group *each = &space->scripts.groups[g];
        for (size_t i = 0; i < each->count; i += STEP) {
            uint64_t hashes[STEP];
            size_t some = each->count - i < STEP ? each->count - i : STEP;
            siphash(each, i, k0, k1, hashes);
            for (size_t j = 0; j < some; j++) {
                uint64_t query = (uint64_t)(((unsigned __int128)hashes[j] * s->limit) >> 64);
                uint64_t place = query & space->map_mask;
                s->queries[done++] = query;
                s->map[place >> 6] |= (uint64_t)1 << (place & 63);
            }
        }
    }
}

/* Read the count and get ready for the first codeword; 0 when the bytes cannot be a filter. */
static int open_filter(workspace *space, slot *s, const uint8_t *filter, size_t size,
                       int is_readable_behind, const uint8_t *block_hash)
{
    uint64_t count;
    size_t offset = read_compact_size(filter, filter + size, &count);
    if (!offset || size > MAX_FILTER_SIZE || count > MAX_FILTER_SIZE)
        return 0;
    size_t payload = size - offset;
    if (count * MIN_CODEWORD > (uint64_t)payload * 8 || (!count && payload))
        return 0;
    s->bits = filter + offset;
    if (!is_readable_behind) {
        memcpy(s->copy, filter + offset, payload);
        memset(s->copy + payload, 0, MARGIN);
        s->bits = s->copy;
    }
    s->position = 0;
    s->end = (uint64_t)payload * 8;
    s->value = 0;
    s->left = count;
    s->limit = count * M;
    s->is_hit = 0;
    s->kept_count = 0;
    if (count)
        mark(space, s, block_hash);
    return 1;
}

static inline uint64_t kept_place(uint64_t value)
{
    return (value * 0x9e3779b97f4a7c15u) >> (64 - KEPT_MAP_BITS);
}

/* Compare the kept values with the scripts' hashes, and forget them. */
static void compare(slot *s, size_t queries)
{
    uint64_t map[(1 << KEPT_MAP_BITS) / 64] = {0};
    size_t count = s->kept_count;
    s->kept_count = 0;
    if (!count || s->is_hit)
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = kept_place(s->kept[i]);
        map[place >> 6] |= (uint64_t)1 << (place & 63);
    }
    for (size_t i = 0; i < queries; i++) {
        uint64_t query = s->queries[i], place = kept_place(query);
        if (!(map[place >> 6] >> (place & 63) & 1))
            continue;
        size_t low = 0, high = count;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (s->kept[middle] < query)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < count && s->kept[low] == query) {
            s->is_hit = 1;
            return;
        }
    }
}

static __attribute__((noinline)) void keep(slot *s, uint64_t value, size_t queries)
{
    if (s->kept_count == KEPT)
        compare(s, queries);
    /* The same value again and again must not fill the room. */
    if (!s->kept_count || s->kept[s->kept_count - 1] != value)
        s->kept[s->kept_count++] = value;
}

/* At least WINDOW bits from `position` on, the first on top. */
static inline uint64_t window(const uint8_t *bits, uint64_t position)
{
    return __builtin_bswap64(read_u64(bits + (position >> 3))) << (position & 7);
}

/* How many ones a window begins with, up to 63. */
static inline unsigned leading_ones(uint64_t w)
{
#if defined(__LZCNT__)
    return (unsigned)_lzcnt_u64(~w); /* 64 for no zero at all is as good */
#else
    return (unsigned)__builtin_clzll(~w | 1);
#endif
}

/* Read a codeword of any length; 0 when it does not end within the filter. */
static __attribute__((noinline)) int read_long(const uint8_t *bits, uint64_t end,
                                               uint64_t *position, uint64_t *value)
{
    uint64_t at = *position, ones = 0;
    for (;;) {
        if (at >= end)
            return 0;
        unsigned run = leading_ones(window(bits, at));
        if (run < WINDOW) {
            at += run;
            ones += run;
            break;
        }
        at += WINDOW - 1;
        ones += WINDOW - 1;
    }
    if (at + MIN_CODEWORD > end)
        return 0;
    *value += (ones << P) + (window(bits, at + 1) >> (64 - P));
    *position = at + MIN_CODEWORD;
    return 1;
}

/* Read the next codeword; `fail` is where to go when it does not end within the filter. A
 * position never goes beyond `end` without that, so that a window always lies within the margin.
 * The copies keep position and value themselves in registers. */
#define READ(bits, end, position, value, fail)                                                    \
    do {                                                                                          \
        uint64_t w_ = window(bits, position);                                                     \
        unsigned ones_ = leading_ones(w_);                                                        \
        if (LIKELY(ones_ <= WINDOW - MIN_CODEWORD)) {                                             \
            position += ones_ + MIN_CODEWORD;                                                     \
            value += ((uint64_t)ones_ << P) + (w_ << ones_ >> (64 - MIN_CODEWORD));               \
            if (UNLIKELY(position > end))                                                         \
                goto fail;                                                                        \
        } else {                                                                                  \
            uint64_t position_ = position, value_ = value;                                        \
            if (!read_long(bits, end, &position_, &value_))                                       \
                goto fail;                                                                        \
            position = position_;                                                                 \
            value = value_;                                                                       \
        }                                                                                         \
    } while (0)

/* Read the next two codewords from one window, which nearly always has them both. */
#define READ_TWO(bits, end, position, first, value, fail)                                         \
    do {                                                                                          \
        uint64_t w_ = window(bits, position);                                                     \
        unsigned ones_ = leading_ones(w_);                                                        \
        uint64_t next_ = w_ << ((ones_ + MIN_CODEWORD) & 63);                                     \
        unsigned more_ = leading_ones(next_);                                                     \
        if (LIKELY(ones_ + more_ <= WINDOW - 2 * MIN_CODEWORD)) {                                 \
            first = value + ((uint64_t)ones_ << P) + (w_ << ones_ >> (64 - MIN_CODEWORD));        \
            value = first + ((uint64_t)more_ << P) + (next_ << more_ >> (64 - MIN_CODEWORD));     \
            position += ones_ + more_ + 2 * MIN_CODEWORD;                                         \
            if (UNLIKELY(position > end))                                                         \
                goto fail;                                                                        \
        } else {                                                                                  \
            READ(bits, end, position, value, fail);                                               \
            first = value;                                                                        \
            READ(bits, end, position, value, fail);                                               \
        }                                                                                         \
    } while (0)

#define LOOK_UP(s, map, value)                                                                    \
    do {                                                                                          \
        uint64_t place_ = value & mask;                                                           \
        if (UNLIKELY((map)[place_ >> 6] >> (place_ & 63) & 1))                                    \
            keep(s, value, queries);                                                              \
    } while (0)

/* Decode the same number of codewords of all slots, each of which has as many; returns the slot that
 * is malformed, NULL if none. */
static slot *decode_together(workspace *space, uint64_t count)
{
    const uint64_t mask = space->map_mask;
    const size_t queries = space->scripts.count;
    slot *const s = space->slots;
    uint64_t at[SLOTS], value[SLOTS];
    int k;
#pragma GCC unroll 8
    for (k = 0; k < SLOTS; k++) {
        at[k] = s[k].position;
        value[k] = s[k].value;
    }
    for (uint64_t i = count / 2; i; i--) {
#pragma GCC unroll 8
        for (k = 0; k < SLOTS; k++) {
            uint64_t first;
            READ_TWO(s[k].bits, s[k].end, at[k], first, value[k], fails);
            LOOK_UP(&s[k], s[k].map, first);
            LOOK_UP(&s[k], s[k].map, value[k]);
        }
    }
    if (count % 2) {
#pragma GCC unroll 8
        for (k = 0; k < SLOTS; k++) {
            READ(s[k].bits, s[k].end, at[k], value[k], fails);
            LOOK_UP(&s[k], s[k].map, value[k]);
        }
    }
#pragma GCC unroll 8
    for (k = 0; k < SLOTS; k++) {
        s[k].position = at[k];
        s[k].value = value[k];
        s[k].left -= count;
    }
    return NULL;
fails:
    return &s[k];
}

/* Decode what is left of a filter; 0 when it is malformed. */
static int decode_rest(const workspace *space, slot *s)
{
    const uint64_t mask = space->map_mask;
    const size_t queries = space->scripts.count;
    const uint8_t *const bits = s->bits;
    const uint64_t *const map = s->map;
    const uint64_t end = s->end;
    uint64_t at = s->position, value = s->value;
    for (uint64_t i = s->left; i; i--) {
        READ(bits, end, at, value, fails);
        LOOK_UP(s, map, value);
    }
    s->position = at;
    s->value = value;
    s->left = 0;
    return 1;
fails:
    return 0;
}

/* All codewords are read: check the end, and compare. 0 when the filter is malformed. */
static int close_filter(const workspace *space, slot *s)
{
    uint64_t padding = s->end - s->position;
    if (padding >= 8)
        return 0;
    if (padding && s->bits[s->end / 8 - 1] & ((1u << padding) - 1))
        return 0;
    /* Values ascend, so the last one tells for all. */
    if (s->end && s->value >= s->limit)
        return 0;
    compare(s, space->scripts.count);
    return 1;
}

/* --- a run of filters ----------------------------------------------------------------------- */

/* The filters of a run on their way through the slots. */
typedef struct {
    const uint8_t *data;
    size_t size;
    const uint8_t *hashes;
    const uint64_t *starts;
    const uint64_t *ends;
    size_t next;
    size_t stop; /* the first malformed filter, or the count: what lies behind is not looked at */
    uint8_t *hits;
} run;

static int has_margin(const run *r, size_t index)
{
    return r->size - r->ends[index] >= MARGIN;
}

/* The size of the largest filter that has to be copied to be read. */
static size_t largest_without_margin(const run *r)
{
    size_t largest = 0;
    for (size_t i = 0; i < r->stop; i++) {
        uint64_t size = r->ends[i] - r->starts[i];
        if (!has_margin(r, i) && size <= MAX_FILTER_SIZE && size > largest)
            largest = (size_t)size;
    }
    return largest;
}

/* Put the next filter that has codewords into a slot; 0 when there is none. */
static int refill(workspace *space, slot *s, run *r)
{
    while (r->next < r->stop) {
        size_t index = r->next++;
        uint64_t start = r->starts[index], end = r->ends[index];
        r->hits[index] = 0;
        s->index = index;
        if (!open_filter(space, s, r->data + start, (size_t)(end - start), has_margin(r, index),
                         r->hashes + HASH_SIZE * index)) {
            r->stop = index;
            return 0;
        }
        if (s->left)
            return 1;
    }
    return 0;
}

static void finish(const workspace *space, slot *s, run *r)
{
    if (!close_filter(space, s)) {
        if (s->index < r->stop)
            r->stop = s->index;
    } else {
        r->hits[s->index] = (uint8_t)s->is_hit;
    }
}

int64_t JOIN(match_filters, LEVEL)(const uint8_t *data, size_t size, const uint8_t *hashes,
                                   const uint64_t *starts, const uint64_t *ends, size_t count,
                                   const script_set *scripts, uint8_t *hits)
{
    workspace space;
    run r = {data, size, hashes, starts, ends, 0, count, hits};
    if (!create(&space, scripts, largest_without_margin(&r))) {
        destroy(&space);
        return OUT_OF_MEMORY;
    }
    int is_open[SLOTS], open_count = 0;
    for (int k = 0; k < SLOTS; k++)
        open_count += is_open[k] = refill(&space, &space.slots[k], &r);
    while (open_count == SLOTS) {
        uint64_t steps = UINT64_MAX;
        for (int k = 0; k < SLOTS; k++)
            steps = space.slots[k].left < steps ? space.slots[k].left : steps;
        slot *malformed = decode_together(&space, steps);
        if (malformed) {
            /* Those of the others that come before it may be malformed too: each starts anew. */
            r.stop = malformed->index < r.stop ? malformed->index : r.stop;
            is_open[malformed - space.slots] = 0;
            break;
        }
        for (int k = 0; k < SLOTS; k++) {
            if (space.slots[k].left)
                continue;
            finish(&space, &space.slots[k], &r);
            is_open[k] = refill(&space, &space.slots[k], &r);
            open_count -= !is_open[k];
        }
    }
    for (int k = 0; k < SLOTS; k++) {
        while (is_open[k]) {
            slot *s = &space.slots[k];
            if (decode_rest(&space, s))
                finish(&space, s, &r);
            else
                r.stop = s->index < r.stop ? s->index : r.stop;
            is_open[k] = refill(&space, s, &r);
        }
    }
    destroy(&space);
    return (int64_t)r.stop;
}
