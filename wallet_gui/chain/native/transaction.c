/* Transactions read in place (BIP144), within bounds, and sets of byte strings.
 *
 * What is accepted is what `primitives.transaction.read_transaction` accepts.
 */
#include "block.h"

#include <stdlib.h>

/* The shortest serializations: they bound every count by the bytes that are left. */
#define MIN_TRANSACTION 10
#define MIN_INPUT 41
#define MIN_OUTPUT 9

static const uint8_t *read_count(const uint8_t *p, const uint8_t *end, size_t min_size,
                                 uint64_t *count)
{
    size_t length = read_compact_size(p, end, count);
    if (!length)
        return NULL;
    p += length;
    return *count <= (uint64_t)(end - p) / min_size ? p : NULL;
}

static const uint8_t *read_string(const uint8_t *p, const uint8_t *end, span *string)
{
    uint64_t size;
    size_t length = read_compact_size(p, end, &size);
    if (!length)
        return NULL;
    p += length;
    if (size > (uint64_t)(end - p))
        return NULL;
    string->data = p;
    string->size = (size_t)size;
    return p + size;
}

const uint8_t *read_input(const uint8_t *p, const uint8_t *end, tx_input *input)
{
    if (end - p < MIN_INPUT)
        return NULL;
    input->outpoint = p;
    p = read_string(p + OUTPOINT_SIZE, end, &input->script);
    return p && end - p >= 4 ? p + 4 : NULL;
}

const uint8_t *read_output(const uint8_t *p, const uint8_t *end, tx_output *output)
{
    if (end - p < MIN_OUTPUT)
        return NULL;
    output->value = read_u64(p);
    return read_string(p + 8, end, &output->script);
}

const uint8_t *read_witness(const uint8_t *p, const uint8_t *end, uint64_t *count, span *last)
{
    last->data = p;
    last->size = 0;
    p = read_count(p, end, 1, count);
    for (uint64_t i = 0; p && i < *count; i++)
        p = read_string(p, end, last);
    return p;
}

const uint8_t *read_transaction(const uint8_t *p, const uint8_t *end, transaction *tx)
{
    if (end - p < MIN_TRANSACTION)
        return NULL;
    /* No inputs are the witness marker, unless no outputs follow. */
    int is_marked = p[4] == 0 && p[5] != 0;
    if (is_marked && p[5] != 1)
        return NULL;
    tx->start = p;
    tx->has_witness = 0;
    p += is_marked ? 6 : 4;
    tx->body = p;
    p = read_count(p, end, MIN_INPUT, &tx->input_count);
    tx->inputs = p;
    for (uint64_t i = 0; p && i < tx->input_count; i++) {
        tx_input input;
        p = read_input(p, end, &input);
    }
    if (!p)
        return NULL;
    p = read_count(p, end, MIN_OUTPUT, &tx->output_count);
    tx->outputs = p;
    for (uint64_t i = 0; p && i < tx->output_count; i++) {
        tx_output output;
        p = read_output(p, end, &output);
    }
    tx->body_end = p;
    for (uint64_t i = 0; p && is_marked && i < tx->input_count; i++) {
        uint64_t count;
        span last;
        p = read_witness(p, end, &count, &last);
        tx->has_witness |= p && count;
    }
    if (!p || end - p < 4 || (is_marked && !tx->has_witness))
        return NULL;
    tx->lock_time = p;
    tx->end = p + 4;
    return tx->end;
}

size_t stripped_size(const transaction *tx)
{
    return (size_t)(tx->body_end - tx->body) + 8;
}

size_t write_stripped(const transaction *tx, uint8_t *out)
{
    size_t body = (size_t)(tx->body_end - tx->body);
    memcpy(out, tx->start, 4);
    memcpy(out + 4, tx->body, body);
    memcpy(out + 4 + body, tx->lock_time, 4);
    return body + 8;
}

/* --- sets ------------------------------------------------------------------------------------ */

#define ROTL(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

#define ROUND                                                                                     \
    (v0 += v1, v2 += v3, v1 = ROTL(v1, 13) ^ v0, v3 = ROTL(v3, 16) ^ v2, v0 = ROTL(v0, 32),       \
     v2 += v1, v0 += v3, v1 = ROTL(v1, 17) ^ v2, v3 = ROTL(v3, 21) ^ v0, v2 = ROTL(v2, 32))

/* SipHash-1-3, the variant that hash tables use. */
static uint64_t place_of(const string_set *set, const uint8_t *data, size_t size)
{
    uint64_t v0 = set->k0 ^ 0x736f6d6570736575u, v1 = set->k1 ^ 0x646f72616e646f6du;
    uint64_t v2 = set->k0 ^ 0x6c7967656e657261u, v3 = set->k1 ^ 0x7465646279746573u;
    uint64_t word = 0;
    size_t left = size;
    for (; left >= 8; left -= 8, data += 8) {
        word = read_u64(data);
        v3 ^= word;
        ROUND;
        v0 ^= word;
    }
    word = (uint64_t)size << 56;
    if (left)
        memcpy(&word, data, left); /* the length stays on top: left < 8 */
    v3 ^= word;
    ROUND;
    v0 ^= word;
    v2 ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

#define MARK_BITS 16

/* The bit of a string: of its end, since scripts begin alike. One multiplication; an outsider, who
 * does not know the key, cannot do better than to repeat the ends of strings that he knows. */
static uint64_t mark_of(const string_set *set, const uint8_t *data, size_t size)
{
    uint64_t end = 0;
    if (size >= 8)
        end = read_u64(data + size - 8);
    else if (size)
        memcpy(&end, data, size);
    return ((end ^ set->k0) * (set->k1 | 1)) >> (64 - MARK_BITS);
}

int set_create(string_set *set, size_t room, const uint8_t *key)
{
    size_t places = 8;
    while (places < 2 * room)
        places *= 2;
    set->k0 = read_u64(key);
    set->k1 = read_u64(key + 8);
    set->mask = places - 1;
    set->count = 0;
    set->places = calloc(places, sizeof *set->places);
    set->items = malloc((room + 1) * sizeof *set->items);
    set->marks = calloc((1 << MARK_BITS) / 64, sizeof *set->marks);
    if (set->places && set->items && set->marks)
        return 1;
    set_destroy(set);
    return 0;
}

void set_destroy(string_set *set)
{
    free(set->places);
    free(set->items);
    free(set->marks);
    set->places = NULL;
    set->items = NULL;
    set->marks = NULL;
}

/* The place where the string is, or is to go. At most half of the places are taken. */
static size_t find(const string_set *set, const uint8_t *data, size_t size)
{
    size_t place = (size_t)place_of(set, data, size) & set->mask;
    while (set->places[place]) {
        const span *item = &set->items[set->places[place] - 1];
        if (item->size == size && (!size || memcmp(item->data, data, size) == 0))
            break;
        place = (place + 1) & set->mask;
    }
    return place;
}

int set_has(const string_set *set, const uint8_t *data, size_t size)
{
    if (!set->count)
        return 0;
    uint64_t mark = mark_of(set, data, size);
    return set->marks[mark >> 6] >> (mark & 63) & 1 && set->places[find(set, data, size)];
}

int set_add(string_set *set, const uint8_t *data, size_t size)
{
    size_t place = find(set, data, size);
    if (set->places[place])
        return 0;
    set->items[set->count].data = data;
    set->items[set->count].size = size;
    set->places[place] = (uint32_t)++set->count;
    uint64_t mark = mark_of(set, data, size);
    set->marks[mark >> 6] |= (uint64_t)1 << (mark & 63);
    return 1;
}
