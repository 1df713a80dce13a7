/* Blocks: where the transactions lie, and what can be checked without the chain around them.
 *
 * What is refused here is what `primitives.block.Block` refuses; it also says why. Sources: Core
 * consensus/merkle.cpp, validation.cpp (CheckBlock, CheckWitnessMalleation, IsBlockMutated),
 * consensus/tx_check.cpp; BIP141.
 */
#include "block.h"

#include <stdlib.h>

#define MAX_WEIGHT 4000000u
#define MIN_TRANSACTION 60 /* one input, one output, empty scripts; less is never valid */
#define MAX_MONEY 2100000000000000u
#define COMMITMENT_SIZE 38
#define BATCH 256
#define FEW_INPUTS 12 /* compared one by one */

static const uint8_t COMMITMENT_PREFIX[6] = {0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed};

/* Find the transactions: `offsets` gets where each begins, and where the last one ends. Returns
 * their number, or MALFORMED; `room` is how many offsets fit. `weight` is the block's (BIP141). */
EXPORT int64_t engine_block_scan(const uint8_t *raw, uint64_t size, uint64_t room,
                                 uint32_t *offsets, uint64_t *weight)
{
    const uint8_t *end = raw + size;
    uint64_t count;
    if (size < HEADER_SIZE || size > MAX_WEIGHT)
        return MALFORMED;
    size_t length = read_compact_size(raw + HEADER_SIZE, end, &count);
    if (!length || count > (size - HEADER_SIZE) / MIN_TRANSACTION)
        return MALFORMED;
    if (count + 1 > room)
        return BAD_ARGUMENT;
    const uint8_t *p = raw + HEADER_SIZE + length;
    uint64_t total = 4 * (HEADER_SIZE + length);
    for (uint64_t i = 0; i < count; i++) {
        transaction tx;
        offsets[i] = (uint32_t)(p - raw);
        p = read_transaction(p, end, &tx);
        if (!p)
            return MALFORMED;
        total += 3 * stripped_size(&tx) + (uint64_t)(tx.end - tx.start);
    }
    if (p != end)
        return MALFORMED;
    offsets[count] = (uint32_t)size;
    *weight = total;
    return (int64_t)count;
}

static int is_null(const uint8_t *outpoint)
{
    static const uint8_t null[OUTPOINT_SIZE] = {[32] = 0xff, [33] = 0xff, [34] = 0xff, [35] = 0xff};
    return memcmp(outpoint, null, OUTPOINT_SIZE) == 0;
}

/* Whether no coin is spent twice (CVE-2018-17144); OUT_OF_MEMORY. */
static int are_distinct(const transaction *tx, const uint8_t *key)
{
    const uint8_t *few[FEW_INPUTS];
    string_set seen;
    int is_small = tx->input_count <= FEW_INPUTS, outcome = 1;
    const uint8_t *p = tx->inputs;
    if (!is_small && !set_create(&seen, (size_t)tx->input_count, key))
        return OUT_OF_MEMORY;
    for (uint64_t i = 0; outcome && i < tx->input_count; i++) {
        tx_input input;
        p = read_input(p, tx->end, &input);
        if (is_small) {
            few[i] = input.outpoint;
            for (uint64_t j = 0; j < i; j++)
                outcome &= memcmp(few[j], few[i], OUTPOINT_SIZE) != 0;
        } else {
            outcome = set_add(&seen, input.outpoint, OUTPOINT_SIZE);
        }
    }
    if (!is_small)
        set_destroy(&seen);
    return outcome;
}

/* Whether a transaction obeys the rules that need no context; OUT_OF_MEMORY. */
static int is_sane(const transaction *tx, int is_coinbase, const uint8_t *key)
{
    uint64_t total = 0;
    if (!tx->input_count || !tx->output_count || stripped_size(tx) * 4 > MAX_WEIGHT)
        return 0;
    const uint8_t *p = tx->outputs;
    for (uint64_t i = 0; i < tx->output_count; i++) {
        tx_output output;
        p = read_output(p, tx->end, &output);
        if (output.value > MAX_MONEY) /* negative amounts are large ones here */
            return 0;
        total += output.value; /* CVE-2010-5139: cannot overflow, since it ends above the limit */
        if (total > MAX_MONEY)
            return 0;
    }
    p = tx->inputs;
    for (uint64_t i = 0; i < tx->input_count; i++) {
        tx_input input;
        p = read_input(p, tx->end, &input);
        if (is_null(input.outpoint) != is_coinbase)
            return 0;
        if (is_coinbase && (input.script.size < 2 || input.script.size > 100))
            return 0;
    }
    if (is_coinbase)
        return tx->input_count == 1;
    return are_distinct(tx, key);
}

/* --- hashes ----------------------------------------------------------------------------------- */

/* Everything that is needed to hash a block. */
typedef struct {
    uint8_t *txids;    /* room for one more, and the same again for the level above */
    uint8_t *wtxids;   /* likewise */
    uint8_t *stripped; /* transactions without their witnesses, one behind the other */
} arena;

static int arena_create(arena *a, size_t count, size_t size)
{
    a->txids = malloc(2 * HASH_SIZE * (count + 1));
    a->wtxids = malloc(2 * HASH_SIZE * (count + 1));
    a->stripped = malloc(size);
    return a->txids && a->wtxids && a->stripped;
}

static void arena_destroy(arena *a)
{
    free(a->txids);
    free(a->wtxids);
    free(a->stripped);
}

/* The root over `count` hashes, at least one, written to `root`. They are overwritten; there is
 * room for one more behind them, and for as many again. Returns whether two neighbours were equal
 * on any level (CVE-2012-2459). */
static int merkle_root(int mode, uint8_t *hashes, size_t count, uint8_t *root)
{
    uint8_t *level = hashes, *above = hashes + HASH_SIZE * (count + 1);
    int is_mutated = 0;
    while (count > 1) {
        for (size_t i = 0; i + 1 < count; i += 2)
            is_mutated |= memcmp(level + HASH_SIZE * i, level + HASH_SIZE * (i + 1), HASH_SIZE) == 0;
        if (count % 2) {
            memcpy(level + HASH_SIZE * count, level + HASH_SIZE * (count - 1), HASH_SIZE);
            count++;
        }
        for (size_t i = 0; i < count / 2; i += BATCH) {
            span messages[BATCH];
            size_t some = count / 2 - i < BATCH ? count / 2 - i : BATCH;
            for (size_t j = 0; j < some; j++) {
                messages[j].data = level + 2 * HASH_SIZE * (i + j);
                messages[j].size = 2 * HASH_SIZE;
            }
            sha256d_many(mode, messages, some, above + HASH_SIZE * i);
        }
        count /= 2;
        uint8_t *swapped = level;
        level = above;
        above = swapped;
    }
    memcpy(root, level, HASH_SIZE);
    return is_mutated;
}

/* Hash the transactions. */
static void hash_all(int mode, const uint8_t *raw, const uint32_t *offsets, size_t count, arena *a)
{
    uint8_t *next = a->stripped;
    for (size_t i = 0; i < count; i += BATCH) {
        span stripped[BATCH], full[BATCH];
        size_t some = count - i < BATCH ? count - i : BATCH;
        int has_witness = 0;
        for (size_t j = 0; j < some; j++) {
            const uint8_t *start = raw + offsets[i + j], *end = raw + offsets[i + j + 1];
            transaction tx;
            read_transaction(start, end, &tx);
            full[j].data = stripped[j].data = start;
            full[j].size = stripped[j].size = (size_t)(end - start);
            if (tx.has_witness) {
                has_witness = 1;
                stripped[j].data = next;
                stripped[j].size = write_stripped(&tx, next);
                next += stripped[j].size;
            }
        }
        sha256d_many(mode, stripped, some, a->txids + HASH_SIZE * i);
        if (has_witness)
            sha256d_many(mode, full, some, a->wtxids + HASH_SIZE * i);
        else
            memcpy(a->wtxids + HASH_SIZE * i, a->txids + HASH_SIZE * i, HASH_SIZE * some);
    }
}

/* --- the check -------------------------------------------------------------------------------- */

/* Find what the coinbase commits to, and the reserved value. Returns 0 when there is no
 * commitment, MALFORMED when there is one without a reserved value. */
static int find_commitment(const transaction *coinbase, const uint8_t **commitment, span *reserved)
{
    const uint8_t *p = coinbase->outputs;
    uint64_t count = 0;
    *commitment = NULL;
    for (uint64_t i = 0; i < coinbase->output_count; i++) {
        tx_output output;
        p = read_output(p, coinbase->end, &output);
        if (output.script.size >= COMMITMENT_SIZE
            && memcmp(output.script.data, COMMITMENT_PREFIX, sizeof COMMITMENT_PREFIX) == 0)
            *commitment = output.script.data + sizeof COMMITMENT_PREFIX;
    }
    if (!*commitment)
        return 0;
    if (coinbase->has_witness)
        read_witness(coinbase->body_end, coinbase->lock_time, &count, reserved);
    return count == 1 && reserved->size == HASH_SIZE ? 1 : MALFORMED;
}

static int check_witnesses(int mode, const transaction *coinbase, int has_witness, size_t count,
                           uint8_t *wtxids)
{
    uint8_t both[2 * HASH_SIZE], found[HASH_SIZE];
    const uint8_t *commitment;
    span reserved;
    int outcome = find_commitment(coinbase, &commitment, &reserved);
    if (outcome <= 0)
        return outcome < 0 || has_witness ? MALFORMED : 0;
    memset(wtxids, 0, HASH_SIZE); /* the coinbase's counts as zero: it holds the commitment */
    merkle_root(mode, wtxids, count, both);
    memcpy(both + HASH_SIZE, reserved.data, HASH_SIZE);
    sha256d_one(mode, both, sizeof both, found);
    return memcmp(found, commitment, HASH_SIZE) == 0 ? 0 : MALFORMED;
}

static int64_t check(int mode, const uint8_t *raw, const uint32_t *offsets, size_t count,
                     int segwit_active, const uint8_t *key, arena *a)
{
    uint8_t root[HASH_SIZE];
    transaction coinbase = {0};
    int has_witness = 0;
    hash_all(mode, raw, offsets, count, a);
    /* First of all: what does not belong to the header proves nothing and costs no more. */
    if (merkle_root(mode, a->txids, count, root) || memcmp(root, raw + 36, HASH_SIZE) != 0)
        return MALFORMED;
    for (size_t i = 0; i < count; i++) {
        transaction tx;
        read_transaction(raw + offsets[i], raw + offsets[i + 1], &tx);
        /* CVE-2017-12842: 64 bytes can be read as a pair of hashes inside the merkle tree. */
        if (segwit_active && stripped_size(&tx) == 64)
            return MALFORMED;
        int sane = is_sane(&tx, i == 0, key);
        if (sane <= 0)
            return sane ? sane : MALFORMED;
        has_witness |= tx.has_witness;
        if (i == 0)
            coinbase = tx;
    }
    if (!segwit_active)
        return has_witness ? MALFORMED : 0;
    return check_witnesses(mode, &coinbase, has_witness, count, a->wtxids);
}

/* Check what `Block.check` checks, of a block that `engine_block_scan` has read: 0 if all is well,
 * MALFORMED otherwise. `key` has 16 random bytes. */
EXPORT int64_t engine_block_check(int32_t mode, const uint8_t *raw, uint64_t size,
                                  const uint32_t *offsets, uint64_t count, uint64_t weight,
                                  int32_t segwit_active, const uint8_t *key)
{
    arena a;
    int64_t outcome = OUT_OF_MEMORY;
    if (!is_mode(mode))
        return BAD_ARGUMENT;
    if (!count || weight > MAX_WEIGHT)
        return MALFORMED;
    if (arena_create(&a, (size_t)count, (size_t)size))
        outcome = check(mode, raw, offsets, (size_t)count, segwit_active, key, &a);
    arena_destroy(&a);
    return outcome;
}
