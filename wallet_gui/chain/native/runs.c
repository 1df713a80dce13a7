/* Runs of filters and of headers: finding filters in a stream, hashing, comparing hashes.
 *
 * The entry points for ctypes: arguments are checked here, once, before anything is read.
 */
#include "engine.h"

#define BATCH 256 /* messages hashed at once */
#define FRAME_SIZE 24
#define MAX_FILTER_SIZE 1000000u
#define MAX_PAYLOAD (1 + HASH_SIZE + 5 + MAX_FILTER_SIZE)

static int is_run(uint64_t size, const uint64_t *starts, const uint64_t *ends, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (starts[i] > ends[i] || ends[i] > size)
            return 0;
    }
    return 1;
}

/* Where the filter of a well-formed cfilter payload begins; NULL when it is none. */
static const uint8_t *filter_start(const uint8_t *payload, const uint8_t *end)
{
    if (end - payload < 1 + HASH_SIZE || payload[0] != 0)
        return NULL;
    const uint8_t *size_at = payload + 1 + HASH_SIZE;
    uint64_t size;
    size_t length = read_compact_size(size_at, end, &size);
    if (!length || size > MAX_FILTER_SIZE || size != (uint64_t)(end - size_at) - length)
        return NULL;
    return size_at + length;
}

/* Take complete cfilter messages from `start` on, as many as `room`. Returns their number and
 * writes what they occupy to `consumed`; stops before anything else than a well-formed one. */
EXPORT int64_t engine_frame_filters(const uint8_t *buffer, uint64_t start, uint64_t end,
                                    const uint8_t *magic, uint64_t room, uint8_t *hashes,
                                    uint64_t *starts, uint64_t *ends, uint64_t *consumed)
{
    uint8_t wanted[16] = {0};
    uint64_t count = 0, position = start;
    memcpy(wanted, magic, 4);
    memcpy(wanted + 4, "cfilter", 7);
    while (count < room && end - position >= FRAME_SIZE) {
        const uint8_t *frame = buffer + position, *payload = frame + FRAME_SIZE;
        uint64_t size = read_u32(frame + 16);
        if (memcmp(frame, wanted, sizeof wanted) != 0 || size > MAX_PAYLOAD
            || size > end - position - FRAME_SIZE)
            break;
        const uint8_t *filter = filter_start(payload, payload + size);
        if (!filter)
            break;
        memcpy(hashes + HASH_SIZE * count, payload + 1, HASH_SIZE);
        starts[count] = (uint64_t)(filter - buffer);
        position += FRAME_SIZE + size;
        ends[count++] = position;
    }
    *consumed = position - start;
    return (int64_t)count;
}

static void hash_batch(int mode, const uint8_t *data, const uint64_t *starts, const uint64_t *ends,
                       size_t count, uint8_t *out)
{
    span messages[BATCH];
    for (size_t i = 0; i < count; i++) {
        messages[i].data = data + starts[i];
        messages[i].size = (size_t)(ends[i] - starts[i]);
    }
    sha256d_many(mode, messages, count, out);
}

static size_t batch_size(uint64_t left)
{
    return left < BATCH ? (size_t)left : BATCH;
}

/* The double SHA-256 of each stretch of the data. */
EXPORT int64_t engine_hash_run(int32_t mode, const uint8_t *data, uint64_t size,
                               const uint64_t *starts, const uint64_t *ends, uint64_t count,
                               uint8_t *out)
{
    if (!is_mode(mode) || !is_run(size, starts, ends, count))
        return BAD_ARGUMENT;
    for (uint64_t i = 0; i < count; i += BATCH)
        hash_batch(mode, data, starts + i, ends + i, batch_size(count - i), out + HASH_SIZE * i);
    return 0;
}

/* The index of the first filter whose hash does not lead from the agreed filter header before it
 * to its own (BIP157); `count` when all do. */
EXPORT int64_t engine_first_wrong(int32_t mode, const uint8_t *data, uint64_t size,
                                  const uint64_t *starts, const uint64_t *ends, uint64_t count,
                                  const uint8_t *previous, const uint8_t *agreed)
{
    if (!is_mode(mode) || !is_run(size, starts, ends, count))
        return BAD_ARGUMENT;
    for (uint64_t i = 0; i < count; i += BATCH) {
        uint8_t hashes[BATCH * HASH_SIZE], links[BATCH * 2 * HASH_SIZE];
        span messages[BATCH];
        size_t some = batch_size(count - i);
        hash_batch(mode, data, starts + i, ends + i, some, hashes);
        for (size_t j = 0; j < some; j++) {
            uint8_t *link = links + 2 * HASH_SIZE * j;
            const uint8_t *before = i + j ? agreed + HASH_SIZE * (i + j - 1) : previous;
            memcpy(link, hashes + HASH_SIZE * j, HASH_SIZE);
            memcpy(link + HASH_SIZE, before, HASH_SIZE);
            messages[j].data = link;
            messages[j].size = 2 * HASH_SIZE;
        }
        sha256d_many(mode, messages, some, hashes);
        for (size_t j = 0; j < some; j++) {
            if (memcmp(hashes + HASH_SIZE * j, agreed + HASH_SIZE * (i + j), HASH_SIZE) != 0)
                return (int64_t)(i + j);
        }
    }
    return (int64_t)count;
}

/* Which filters hold a script: one byte each in `hits`. Returns the count, or the index of the
 * first filter that is malformed. */
EXPORT int64_t engine_match_run(int32_t mode, const uint8_t *data, uint64_t size,
                                const uint8_t *hashes, const uint64_t *starts,
                                const uint64_t *ends, uint64_t count, uint64_t groups,
                                const uint64_t *counts, const uint64_t *words,
                                const uint8_t *packed, uint8_t *hits)
{
    const script_set scripts = {counts, words, packed, (size_t)groups};
    if (!is_mode(mode) || !is_run(size, starts, ends, count))
        return BAD_ARGUMENT;
    return kernels_of(mode)->match_filters(data, (size_t)size, hashes, starts, ends,
                                           (size_t)count, &scripts, hits);
}

/* The block hash of each header of 80 bytes. */
EXPORT int64_t engine_header_hashes(int32_t mode, const uint8_t *headers, uint64_t count,
                                    uint8_t *out)
{
    if (!is_mode(mode))
        return BAD_ARGUMENT;
    for (uint64_t i = 0; i < count; i += BATCH) {
        span messages[BATCH];
        size_t some = batch_size(count - i);
        for (size_t j = 0; j < some; j++) {
            messages[j].data = headers + HEADER_SIZE * (i + j);
            messages[j].size = HEADER_SIZE;
        }
        sha256d_many(mode, messages, some, out + HASH_SIZE * i);
    }
    return 0;
}

/* The filter headers that follow `previous`, one for each filter hash (BIP157). */
EXPORT int64_t engine_header_chain(int32_t mode, const uint8_t *hashes, uint64_t count,
                                   const uint8_t *previous, uint8_t *out)
{
    uint8_t link[2 * HASH_SIZE];
    if (!is_mode(mode))
        return BAD_ARGUMENT;
    memcpy(link + HASH_SIZE, previous, HASH_SIZE);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(link, hashes + HASH_SIZE * i, HASH_SIZE);
        sha256d_one(mode, link, sizeof link, link + HASH_SIZE);
        memcpy(out + HASH_SIZE * i, link + HASH_SIZE, HASH_SIZE);
    }
    return 0;
}
