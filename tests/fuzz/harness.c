/* Feeds mutated filters, streams and blocks to the native engine, under the sanitizers.
 *
 *     harness CORPUS ITERATIONS SEED
 *
 * Each input lies in memory of exactly its size, so that one byte read too far is seen. Every mode
 * that this processor has must give the same answer, and memory may run out at any allocation. The
 * block's source is included instead of linked, to make headers that fit mutated transactions.
 */
#include "../../wallet_gui/chain/native/block.c"

#include <stdio.h>

/* runs.c, candidates.c and dispatch.c, as ctypes calls them. */
int32_t engine_best_mode(void);
int64_t engine_frame_filters(const uint8_t *, uint64_t, uint64_t, const uint8_t *, uint64_t,
                             uint8_t *, uint64_t *, uint64_t *, uint64_t *);
int64_t engine_hash_run(int32_t, const uint8_t *, uint64_t, const uint64_t *, const uint64_t *,
                        uint64_t, uint8_t *);
int64_t engine_first_wrong(int32_t, const uint8_t *, uint64_t, const uint64_t *, const uint64_t *,
                           uint64_t, const uint8_t *, const uint8_t *);
int64_t engine_match_run(int32_t, const uint8_t *, uint64_t, const uint8_t *, const uint64_t *,
                         const uint64_t *, uint64_t, uint64_t, const uint64_t *, const uint64_t *,
                         const uint8_t *, uint8_t *);
int64_t engine_header_hashes(int32_t, const uint8_t *, uint64_t, uint8_t *);
int64_t engine_block_candidates(int32_t, const uint8_t *, uint64_t, const uint32_t *, uint64_t,
                                const uint8_t *, const uint32_t *, uint64_t, uint64_t, uint64_t,
                                const uint8_t *, uint32_t *);

#define MAX_ENTRIES 4096
#define MAX_RUN 24
#define SCRIPTS 24
#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "line %d: " #condition " is not so\n", __LINE__);                     \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

static uint64_t seed;
static int modes[16], mode_count;
static struct {
    char kind;
    span bytes;
} corpus[MAX_ENTRIES];
static size_t entries;
static unsigned long answers[6]; /* how many inputs came how far */

/* --- memory that runs out --------------------------------------------------------------------- */

static int until_failure = -1; /* allocations that still succeed; for ever if negative */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);

static int is_exhausted(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return is_exhausted() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_exhausted() ? NULL : __real_calloc(count, size);
}

static uint8_t *take(size_t size)
{
    uint8_t *made = __real_malloc(size ? size : 1);
    CHECK(made);
    return made;
}

/* --- chance ----------------------------------------------------------------------------------- */

static uint64_t draw(void)
{
    uint64_t x = seed += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static size_t below(size_t limit)
{
    return limit ? (size_t)(draw() % limit) : 0;
}

/* A mutated copy, at the end of memory of exactly its size. */
static span mutate(span from)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff};
    size_t size = from.size, room = size + 600;
    uint8_t *work = take(room);
    memcpy(work, from.data, size);
    for (size_t times = below(5); times; times--) {
        size_t at = below(size), run = 1 + below(1u << below(9));
        switch (below(8)) {
        case 0: /* a bit */
            if (size)
                work[at] ^= (uint8_t)(1u << below(8));
            break;
        case 1: /* a telling byte */
            if (size)
                work[at] = telling[below(sizeof telling)];
            break;
        case 2: /* the end is missing */
            size -= below(size < 40 ? size + 1 : 40);
            break;
        case 3: /* a run of ones or zeros */
            if (run > size - at)
                run = size - at;
            memset(work + at, below(2) ? 0xff : 0, run);
            break;
        case 4: /* more of the same */
            if (size + run <= room) {
                memmove(work + at + run, work + at, size - at);
                memset(work + at, telling[below(sizeof telling)], run);
                size += run;
            }
            break;
        case 5: /* something left out */
            if (run > size - at)
                run = size - at;
            memmove(work + at, work + at + run, size - at - run);
            size -= run;
            break;
        case 6: /* a number */
            if (size - at >= 8) {
                uint64_t value = draw() >> below(64);
                memcpy(work + at, &value, 1u << below(4));
            }
            break;
        default: { /* a piece of another one */
            span other = corpus[below(entries)].bytes;
            size_t begin = below(other.size);
            if (run > other.size - begin)
                run = other.size - begin;
            if (run > size - at)
                run = size - at;
            memcpy(work + at, other.data + begin, run);
        }
        }
    }
    span made = {take(size), size};
    memcpy((uint8_t *)made.data, work, size);
    free(work);
    return made;
}

static span pick(char kind)
{
    size_t i = below(entries);
    while (corpus[i].kind != kind)
        i = (i + 1) % entries;
    return corpus[i].bytes;
}

/* --- filters ---------------------------------------------------------------------------------- */

/* The corpus' scripts, of 22 and 34 bytes, packed as SipHash reads them; some of them. */
static uint64_t script_counts[2], script_words[2] = {3, 5};

static void match(const uint8_t *data, uint64_t size, const uint64_t *starts, const uint64_t *ends,
                  uint64_t count, const uint8_t *hashes)
{
    uint8_t hits[MAX_RUN], first[MAX_RUN], *packed = take(SCRIPTS * 40);
    uint64_t groups = below(3);
    int64_t expected = 0;
    span scripts = pick('S');
    script_counts[0] = below(SCRIPTS / 2 + 1);
    script_counts[1] = groups == 2 ? below(SCRIPTS / 2 + 1) : 0;
    memcpy(packed, scripts.data, 24 * script_counts[0]);
    if (groups == 2)
        memcpy(packed + 24 * script_counts[0], scripts.data + 24 * SCRIPTS / 2,
               40 * script_counts[1]);
    for (int i = 0; i < mode_count; i++) {
        memset(hits, 7, sizeof hits);
        int64_t found = engine_match_run(modes[i], data, size, hashes, starts, ends, count, groups,
                                         script_counts, script_words, packed, hits);
        if (!i) {
            expected = found;
            memcpy(first, hits, sizeof hits);
        }
        CHECK(found == expected && found >= 0 && (uint64_t)found <= count);
        if ((uint64_t)found < count)
            continue;
        CHECK(memcmp(hits, first, count) == 0);
        for (uint64_t j = 0; j < count; j++)
            answers[0] += hits[j];
    }
    answers[1] += (uint64_t)expected == count;
    until_failure = (int)below(4);
    int64_t found = engine_match_run(modes[0], data, size, hashes, starts, ends, count, groups,
                                     script_counts, script_words, packed, hits);
    until_failure = -1;
    CHECK(found == expected || found == OUT_OF_MEMORY);
    free(packed);
}

/* The hashes that all modes agree on, and what follows from them. */
static void verify(const uint8_t *data, uint64_t size, const uint64_t *starts,
                   const uint64_t *ends, uint64_t count)
{
    uint8_t hashes[MAX_RUN * HASH_SIZE], first[MAX_RUN * HASH_SIZE], previous[HASH_SIZE] = {0};
    uint8_t agreed[MAX_RUN * HASH_SIZE], link[2 * HASH_SIZE];
    for (int i = 0; i < mode_count; i++) {
        CHECK(engine_hash_run(modes[i], data, size, starts, ends, count, hashes) == 0);
        if (!i)
            memcpy(first, hashes, sizeof hashes);
        CHECK(memcmp(hashes, first, HASH_SIZE * count) == 0);
    }
    for (uint64_t j = 0; j < count; j++) {
        memcpy(link, hashes + HASH_SIZE * j, HASH_SIZE);
        memcpy(link + HASH_SIZE, j ? agreed + HASH_SIZE * (j - 1) : previous, HASH_SIZE);
        sha256d_one(0, link, sizeof link, agreed + HASH_SIZE * j);
    }
    size_t wrong = below((size_t)count + 1);
    if (wrong < count)
        agreed[HASH_SIZE * wrong + below(HASH_SIZE)] ^= 1;
    for (int i = 0; i < mode_count; i++)
        CHECK(engine_first_wrong(modes[i], data, size, starts, ends, count, previous, agreed)
              == (int64_t)wrong);
}

static void try_filters(void)
{
    uint64_t starts[MAX_RUN], ends[MAX_RUN], count = 1 + below(MAX_RUN), size = 0;
    uint8_t *hashes = take(HASH_SIZE * count), *data;
    span filters[MAX_RUN];
    for (uint64_t i = 0; i < count; i++) {
        span entry = pick('G'); /* a block hash and its filter */
        memcpy(hashes + HASH_SIZE * i, entry.data, HASH_SIZE);
        span filter = {entry.data + HASH_SIZE, entry.size - HASH_SIZE};
        filters[i] = filter;
        if (!below(3)) {
            filters[i] = mutate(filter);
        } else {
            filters[i].data = memcpy(take(filter.size), filter.data, filter.size);
        }
        starts[i] = size;
        ends[i] = size += filters[i].size;
    }
    data = take(size);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(data + starts[i], filters[i].data, filters[i].size);
        free((uint8_t *)filters[i].data);
    }
    match(data, size, starts, ends, count, hashes);
    verify(data, size, starts, ends, count);
    /* Arguments that only a mistake of ours can bring. */
    uint8_t hits[MAX_RUN];
    ends[below((size_t)count)] += size + 1;
    CHECK(engine_match_run(0, data, size, hashes, starts, ends, count, 0, script_counts,
                           script_words, data, hits)
          == BAD_ARGUMENT);
    CHECK(engine_hash_run(0x40, data, size, starts, ends, 0, hits) == BAD_ARGUMENT);
    free(hashes);
    free(data);
}

static void try_stream(void)
{
    uint8_t hashes[MAX_RUN * HASH_SIZE];
    uint64_t starts[MAX_RUN], ends[MAX_RUN], consumed;
    span stream = mutate(pick('F'));
    uint64_t start = below(4) ? 0 : below(stream.size + 1);
    static const uint8_t magic[4] = {0xfa, 0xbf, 0xb5, 0xda};
    int64_t count = engine_frame_filters(stream.data, start, stream.size, magic, MAX_RUN, hashes,
                                         starts, ends, &consumed);
    CHECK(count >= 0 && count <= MAX_RUN && start + consumed <= stream.size);
    for (int64_t i = 0; i < count; i++) {
        CHECK(starts[i] <= ends[i] && ends[i] <= start + consumed);
        CHECK(starts[i] >= start + 24 + 1 + HASH_SIZE + 1);
    }
    answers[2] += (unsigned long)count;
    match(stream.data, stream.size, starts, ends, (uint64_t)count, hashes);
    free((uint8_t *)stream.data);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static span piece_of(int kind, const uint8_t *raw, const uint32_t *offsets, size_t count)
{
    size_t i = below(count);
    transaction tx;
    tx_output output = {0, {raw, 22}};
    tx_input input = {raw, {raw, 33}};
    read_transaction(raw + offsets[i], raw + offsets[i + 1], &tx);
    const uint8_t *p = tx.outputs;
    for (uint64_t j = below((size_t)tx.output_count + 1); p && j; j--)
        p = read_output(p, tx.end, &output);
    p = tx.inputs;
    for (uint64_t j = below((size_t)tx.input_count + 1); p && j; j--)
        p = read_input(p, tx.end, &input);
    if (kind == 0)
        return output.script;
    if (kind == 1) {
        span outpoint = {input.outpoint, OUTPOINT_SIZE};
        return outpoint;
    }
    span last = input.script;
    uint64_t items;
    if (tx.has_witness && below(2))
        read_witness(tx.body_end, tx.end, &items, &last);
    return last;
}

static void look_for(const uint8_t *raw, uint64_t size, const uint32_t *offsets, uint64_t count,
                     const uint8_t *key)
{
    /* Pieces of the block itself, so that some are found: what transactions pay and spend. */
    uint32_t sizes[9], *positions = (uint32_t *)(void *)take(4 * count), first_positions[4];
    uint8_t *packed = take(9 * 100 + 1);
    size_t used = 0, counts[3] = {below(4), below(4), below(4)}, made = 0;
    int64_t expected = 0;
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < counts[kind]; i++, made++) {
            span piece = piece_of(kind, raw, offsets, (size_t)count);
            sizes[made] = (uint32_t)(piece.size < 100 ? piece.size : 100);
            memcpy(packed + used, piece.data, sizes[made]);
            packed[used] ^= (uint8_t)!below(3); /* some are not found */
            used += sizes[made];
        }
    }
    for (int i = 0; i <= mode_count; i++) {
        int is_last = i == mode_count;
        until_failure = is_last ? (int)below(10) : -1;
        int64_t found = engine_block_candidates(modes[is_last ? 0 : i], raw, size, offsets, count,
                                                packed, sizes, counts[0], counts[1], counts[2], key,
                                                positions);
        until_failure = -1;
        if (is_last && found == OUT_OF_MEMORY)
            break;
        if (!i)
            expected = found;
        CHECK(found == expected && found >= 0 && (uint64_t)found <= count);
        for (int64_t j = 0; j < found; j++) {
            CHECK(positions[j] < count && (!j || positions[j] > positions[j - 1]));
            if (j < 4 && !i)
                first_positions[j] = positions[j];
            CHECK(j >= 4 || positions[j] == first_positions[j]);
        }
    }
    answers[3] += (unsigned long)expected;
    free(positions);
    free(packed);
}

static void try_block(void)
{
    uint8_t key[16] = {1, 2, 3};
    uint64_t weight = 0;
    span block = mutate(pick('B'));
    uint64_t size = block.size, room = size < 80 ? 1 : (size - 80) / 60 + 1;
    uint8_t *raw = (uint8_t *)block.data;
    uint32_t *offsets = (uint32_t *)(void *)take(4 * room);
    int64_t count = engine_block_scan(raw, size, room, offsets, &weight);
    CHECK(count == MALFORMED || (count >= 0 && (uint64_t)count < room));
    if (count > 0) {
        answers[4]++;
        if (below(4)) {
            arena a;
            CHECK(arena_create(&a, (size_t)count, (size_t)size));
            hash_all(0, raw, offsets, (size_t)count, &a);
            merkle_root(0, a.txids, (size_t)count, raw + 36);
            arena_destroy(&a);
        }
        for (int segwit = 0; segwit < 2; segwit++) {
            int64_t expected = 0;
            for (int i = 0; i <= mode_count; i++) {
                int is_last = i == mode_count;
                until_failure = is_last ? (int)below(6) : -1;
                int64_t found = engine_block_check(modes[is_last ? 0 : i], raw, size, offsets,
                                                   (uint64_t)count, weight, segwit, key);
                until_failure = -1;
                if (!i)
                    expected = found;
                CHECK(found == expected || (is_last && found == OUT_OF_MEMORY));
                CHECK(found == 0 || found == MALFORMED || is_last);
            }
            answers[5] += expected == 0;
        }
        look_for(raw, size, offsets, (uint64_t)count, key);
    }
    free(raw);
    free(offsets);
}

/* --- from the start --------------------------------------------------------------------------- */

/* The corpus: for each entry a kind, the size in four bytes, the bytes. */
static void read_corpus(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t head[5];
    CHECK(file);
    while (entries < MAX_ENTRIES && fread(head, 1, sizeof head, file) == sizeof head) {
        size_t size = read_u32(head + 1);
        uint8_t *data = take(size);
        CHECK(fread(data, 1, size, file) == size);
        corpus[entries].kind = (char)head[0];
        corpus[entries].bytes.data = data;
        corpus[entries++].bytes.size = size;
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    read_corpus(argv[1]);
    unsigned long iterations = strtoul(argv[2], NULL, 10);
    seed = strtoull(argv[3], NULL, 10);
    int best = engine_best_mode();
    for (int level = 0; level <= (best & LEVEL_MASK); level++) {
        modes[mode_count++] = level;
        if (best & FLAG_SHA)
            modes[mode_count++] = level | FLAG_SHA;
    }
    for (unsigned long i = 0; i < iterations; i++) {
        switch (i % 3) {
        case 0:
            try_filters();
            break;
        case 1:
            try_stream();
            break;
        default:
            try_block();
        }
    }
    printf("%lu hits, %lu runs well formed, %lu filters framed, %lu candidates, "
           "%lu blocks read, %lu in order\n",
           answers[0], answers[1], answers[2], answers[3], answers[4], answers[5]);
    for (size_t i = 0; i < entries; i++)
        free((uint8_t *)corpus[i].bytes.data);
    return 0;
}
