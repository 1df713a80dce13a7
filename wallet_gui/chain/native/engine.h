/* The native filter engine: what its parts share, and what it offers to ctypes.
 *
 * Plain C99 plus the vector types of GCC and clang; no Python.h, no state, no I/O. Every function
 * may run in several threads at once. Everything that comes from a peer is read within bounds that
 * are checked first; what is refused here is refused by the scalar reference too (equal by test).
 */
#ifndef WALLET_ENGINE_H
#define WALLET_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The engine is written for little-endian processors; the scalar one serves the others."
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Raised when a signature or a meaning below changes: the loader refuses any other number. */
#define ENGINE_ABI 2

#define HASH_SIZE 32
#define HEADER_SIZE 80

/* What functions return besides counts and indexes, which are never negative. */
enum outcome {
    OUT_OF_MEMORY = -1,
    BAD_ARGUMENT = -2, /* the caller's fault: offsets outside the data, an unknown mode */
    MALFORMED = -3,    /* the peer's fault */
};

/* A mode says which machine code may be used. The low byte is a level of kernels: the same source
 * compiled for wider vectors. The flag adds the processor's own SHA-256 instructions. */
enum mode {
    LEVEL_PORTABLE = 0, /* whatever the compiler assumes: SSE2 on x86-64, NEON on arm64 */
    LEVEL_V3 = 1,       /* x86-64-v3: AVX2, BMI */
    LEVEL_V4 = 2,       /* x86-64-v4: AVX-512 F, BW, DQ, VL */
    LEVEL_MASK = 0xff,
    FLAG_SHA = 0x100,
};

typedef struct {
    const uint8_t *data;
    size_t size;
} span;

/* Scripts to look for: `groups` groups of scripts of one length, `counts[g]` of them, each
 * `words[g]` words of eight bytes as SipHash reads them (padded, the length in the last byte). */
typedef struct {
    const uint64_t *counts;
    const uint64_t *words;
    const uint8_t *packed;
    size_t groups;
} script_set;

/* What is compiled once for each level. */
typedef struct {
    void (*sha256d_lanes)(const span *messages, size_t count, uint8_t *out);
    int64_t (*match_filters)(const uint8_t *data, size_t size, const uint8_t *hashes,
                             const uint64_t *starts, const uint64_t *ends, size_t count,
                             const script_set *scripts, uint8_t *hits);
} kernels;

/* NULL when this processor does not have the level. */
const kernels *kernels_of(int mode);
/* Whether everything that a mode names can be used here. */
int is_mode(int mode);

/* --- sha256.c: picks between lanes, the processor's instructions, and plain C --------------- */

typedef void sha256_compress(uint32_t state[8], const uint8_t *blocks, size_t count);

extern const uint32_t SHA256_START[8];
extern const uint32_t SHA256_ROUNDS[64];

/* Padding: `tail` takes what does not fill a block, a one, zeros, and the length in bits.
 * Returns the number of its blocks, 1 or 2. */
size_t sha256_tail(uint8_t tail[128], const uint8_t *data, size_t size);

void sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t count);
void sha256_instructions(uint32_t state[8], const uint8_t *blocks, size_t count);
int sha256_is_compiled(void);

/* The double SHA-256 of each message, 32 bytes each at `out`. */
void sha256d_many(int mode, const span *messages, size_t count, uint8_t *out);
void sha256d_one(int mode, const uint8_t *data, size_t size, uint8_t *out);

/* --- small things used everywhere ---------------------------------------------------------- */

static inline uint16_t read_u16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static inline uint32_t read_u32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static inline uint64_t read_u64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static inline uint32_t read_u32_be(const uint8_t *p)
{
    return __builtin_bswap32(read_u32(p));
}

static inline void write_u32_be(uint8_t *p, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(p, &value, sizeof value);
}

/* A CompactSize at `p`, which must be below `end`, in its shortest form. Returns its length in
 * bytes, 0 when it is cut short or not canonical. */
static inline size_t read_compact_size(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    size_t left = (size_t)(end - p);
    if (left < 1)
        return 0;
    if (LIKELY(p[0] < 0xfd)) {
        *value = p[0];
        return 1;
    }
    if (p[0] == 0xfd) {
        if (left < 3)
            return 0;
        *value = read_u16(p + 1);
        return *value >= 0xfd ? 3 : 0;
    }
    if (p[0] == 0xfe) {
        if (left < 5)
            return 0;
        *value = read_u32(p + 1);
        return *value > 0xffff ? 5 : 0;
    }
    if (left < 9)
        return 0;
    *value = read_u64(p + 1);
    return *value > 0xffffffff ? 9 : 0;
}

#endif
