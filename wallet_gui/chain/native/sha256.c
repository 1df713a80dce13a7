/* SHA-256 of single messages, and the choice of how to hash many. Source: FIPS 180-4. */
#include "engine.h"

const uint32_t SHA256_START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

const uint32_t SHA256_ROUNDS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

size_t sha256_tail(uint8_t tail[128], const uint8_t *data, size_t size)
{
    size_t left = size % 64;
    size_t blocks = left < 56 ? 1 : 2;
    uint64_t bits = (uint64_t)size * 8;
    if (left)
        memcpy(tail, data + (size - left), left);
    tail[left] = 0x80;
    memset(tail + left + 1, 0, 64 * blocks - left - 9);
    write_u32_be(tail + 64 * blocks - 8, (uint32_t)(bits >> 32));
    write_u32_be(tail + 64 * blocks - 4, (uint32_t)bits);
    return blocks;
}

#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

void sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    for (; count; count--, blocks += 64) {
        uint32_t w[64];
        for (int i = 0; i < 16; i++)
            w[i] = read_u32_be(blocks + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = ROTR(w[i - 15], 7) ^ ROTR(w[i - 15], 18) ^ (w[i - 15] >> 3);
            uint32_t s1 = ROTR(w[i - 2], 17) ^ ROTR(w[i - 2], 19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t s1 = ROTR(e, 6) ^ ROTR(e, 11) ^ ROTR(e, 25);
            uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + SHA256_ROUNDS[i] + w[i];
            uint32_t s0 = ROTR(a, 2) ^ ROTR(a, 13) ^ ROTR(a, 22);
            uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

static void sha256_with(sha256_compress *compress, const uint8_t *data, size_t size, uint8_t *out)
{
    uint32_t state[8];
    uint8_t tail[128];
    memcpy(state, SHA256_START, sizeof state);
    if (size / 64)
        compress(state, data, size / 64);
    compress(state, tail, sha256_tail(tail, data, size));
    for (int i = 0; i < 8; i++)
        write_u32_be(out + 4 * i, state[i]);
}

static sha256_compress *compress_of(int mode)
{
    return mode & FLAG_SHA ? sha256_instructions : sha256_portable;
}

void sha256d_one(int mode, const uint8_t *data, size_t size, uint8_t *out)
{
    uint8_t first[HASH_SIZE];
    sha256_compress *compress = compress_of(mode);
    sha256_with(compress, data, size, first);
    sha256_with(compress, first, sizeof first, out);
}

#define FEW 8

void sha256d_many(int mode, const span *messages, size_t count, uint8_t *out)
{
    /* Sixteen lanes outdo the processor's instructions if most are busy; eight do not. */
    if (!(mode & FLAG_SHA) || ((mode & LEVEL_MASK) == LEVEL_V4 && count >= FEW)) {
        kernels_of(mode)->sha256d_lanes(messages, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++)
        sha256d_one(mode, messages[i].data, messages[i].size, out + HASH_SIZE * i);
}
