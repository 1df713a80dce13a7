/* Transactions where they lie in a block's bytes, and sets of byte strings. */
#ifndef WALLET_BLOCK_H
#define WALLET_BLOCK_H

#include "engine.h"

#define OUTPOINT_SIZE 36

/* One transaction; the pointers lead into the block's bytes. */
typedef struct {
    const uint8_t *start;     /* version */
    const uint8_t *body;      /* the number of inputs: behind marker and flag, if there are any */
    const uint8_t *inputs;    /* the first one */
    const uint8_t *outputs;   /* the first one */
    const uint8_t *body_end;  /* behind the last output */
    const uint8_t *lock_time; /* where the witnesses, from body_end on, end */
    const uint8_t *end;
    uint64_t input_count;
    uint64_t output_count;
    int has_witness;
} transaction;

typedef struct {
    const uint8_t *outpoint; /* OUTPOINT_SIZE bytes */
    span script;
} tx_input;

typedef struct {
    uint64_t value;
    span script;
} tx_output;

/* Each returns the position behind what was read, NULL when it is malformed or cut short. */
const uint8_t *read_transaction(const uint8_t *p, const uint8_t *end, transaction *tx);
const uint8_t *read_input(const uint8_t *p, const uint8_t *end, tx_input *input);
const uint8_t *read_output(const uint8_t *p, const uint8_t *end, tx_output *output);
/* `last` is the stack's last item, empty for an empty stack. */
const uint8_t *read_witness(const uint8_t *p, const uint8_t *end, uint64_t *count, span *last);

size_t stripped_size(const transaction *tx);
/* Write the bytes that the txid commits to; returns their number. */
size_t write_stripped(const transaction *tx, uint8_t *out);

/* A set of byte strings, which must stay where they are. Keyed, so that nobody outside can choose
 * strings that fall into the same places. */
typedef struct {
    uint64_t k0, k1;
    size_t mask;
    size_t count;
    uint32_t *places; /* 0, or one more than an index of items */
    uint64_t *marks;  /* a bit for what the strings end with: nearly all others are told by it */
    span *items;
} string_set;

/* Room for `room` strings, fewer than 2^31; 0 when there is no memory. `key` has 16 bytes. */
int set_create(string_set *set, size_t room, const uint8_t *key);
void set_destroy(string_set *set);
int set_has(const string_set *set, const uint8_t *data, size_t size);
/* Returns 0 when the string was there. */
int set_add(string_set *set, const uint8_t *data, size_t size);

#endif
