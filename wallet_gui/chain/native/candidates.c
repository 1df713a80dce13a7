/* Which transactions of a block may concern a wallet, without parsing the others.
 *
 * The answer is that of `primitives.block.Block.candidates`.
 */
#include "block.h"

#include <stdlib.h>

#define KEY_SIZE 33 /* of the public key at the end of a P2PKH input's script */

/* What is looked for, and what was found on the way. */
typedef struct {
    string_set scripts;
    string_set outpoints;
    string_set public_keys;
    string_set found; /* txids of candidates */
    uint8_t *txids;
    uint8_t *stripped; /* room for one transaction */
} search;

static void destroy(search *s)
{
    set_destroy(&s->scripts);
    set_destroy(&s->outpoints);
    set_destroy(&s->public_keys);
    set_destroy(&s->found);
    free(s->txids);
    free(s->stripped);
}

/* Take `count` strings of the given sizes; returns what lies behind them, NULL without memory. */
static const uint8_t *fill(string_set *set, const uint8_t *packed, const uint32_t *sizes,
                           size_t count, const uint8_t *key)
{
    if (!set_create(set, count, key))
        return NULL;
    for (size_t i = 0; i < count; packed += sizes[i++])
        set_add(set, packed, sizes[i]);
    return packed;
}

static int is_candidate(const search *s, const transaction *tx)
{
    const uint8_t *p = tx->outputs;
    for (uint64_t i = 0; i < tx->output_count; i++) {
        tx_output output;
        p = read_output(p, tx->end, &output);
        if (set_has(&s->scripts, output.script.data, output.script.size))
            return 1;
    }
    p = tx->inputs;
    for (uint64_t i = 0; i < tx->input_count; i++) {
        tx_input input;
        p = read_input(p, tx->end, &input);
        size_t tail = input.script.size < KEY_SIZE ? input.script.size : KEY_SIZE;
        if (set_has(&s->outpoints, input.outpoint, OUTPOINT_SIZE)
            || set_has(&s->found, input.outpoint, HASH_SIZE)
            || set_has(&s->public_keys, input.script.data + (input.script.size - tail), tail))
            return 1;
    }
    p = tx->body_end;
    for (uint64_t i = 0; tx->has_witness && i < tx->input_count; i++) {
        uint64_t count;
        span last;
        p = read_witness(p, tx->end, &count, &last);
        if (count && set_has(&s->public_keys, last.data, last.size))
            return 1;
    }
    return 0;
}

static int64_t look(search *s, int mode, const uint8_t *raw, const uint32_t *offsets, size_t count,
                    uint32_t *positions)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        transaction tx;
        read_transaction(raw + offsets[i], raw + offsets[i + 1], &tx);
        if (!is_candidate(s, &tx))
            continue;
        uint8_t *txid = s->txids + HASH_SIZE * found;
        sha256d_one(mode, s->stripped, write_stripped(&tx, s->stripped), txid);
        set_add(&s->found, txid, HASH_SIZE);
        positions[found++] = (uint32_t)i;
    }
    return (int64_t)found;
}

/* Look through a block that `engine_block_scan` has read. `packed` holds the scripts, then the
 * outpoints, then the public keys, `sizes` how long each is. Writes the positions of the candidates,
 * ascending, to `positions`, which has room for `count`; returns their number. `key` has 16 random
 * bytes. */
EXPORT int64_t engine_block_candidates(int32_t mode, const uint8_t *raw, uint64_t size,
                                       const uint32_t *offsets, uint64_t count,
                                       const uint8_t *packed, const uint32_t *sizes,
                                       uint64_t scripts, uint64_t outpoints, uint64_t public_keys,
                                       const uint8_t *key, uint32_t *positions)
{
    search s;
    int64_t outcome = OUT_OF_MEMORY;
    if (!is_mode(mode))
        return BAD_ARGUMENT;
    memset(&s, 0, sizeof s);
    packed = fill(&s.scripts, packed, sizes, (size_t)scripts, key);
    if (packed)
        packed = fill(&s.outpoints, packed, sizes + scripts, (size_t)outpoints, key);
    if (packed)
        packed = fill(&s.public_keys, packed, sizes + scripts + outpoints, (size_t)public_keys, key);
    s.txids = malloc(HASH_SIZE * ((size_t)count + 1));
    s.stripped = malloc((size_t)size);
    if (packed && s.txids && s.stripped && set_create(&s.found, (size_t)count, key))
        outcome = look(&s, mode, raw, offsets, (size_t)count, positions);
    destroy(&s);
    return outcome;
}
