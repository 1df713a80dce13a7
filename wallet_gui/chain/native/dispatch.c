/* Which machine code this processor can run. */
#include "engine.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

#define DECLARE(level)                                                                            \
    void sha256d_lanes_##level(const span *messages, size_t count, uint8_t *out);                 \
    int64_t match_filters_##level(const uint8_t *data, size_t size, const uint8_t *hashes,        \
                                  const uint64_t *starts, const uint64_t *ends, size_t count,     \
                                  const script_set *scripts, uint8_t *hits);                      \
    static const kernels level##_kernels = {sha256d_lanes_##level, match_filters_##level}

DECLARE(portable);
#if defined(__x86_64__)
DECLARE(v3);
DECLARE(v4);

/* Which registers the system saves when it switches threads. */
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int has(uint32_t flags, uint32_t wanted)
{
    return (flags & wanted) == wanted;
}

static int best_level(void)
{
    uint32_t a, b, c, d, c1, b7;
    if (!__get_cpuid(1, &a, &b, &c1, &d) || !has(c1, 1u << 27)) /* OSXSAVE */
        return LEVEL_PORTABLE;
    uint64_t saved = saved_state();
    /* FMA, MOVBE, POPCNT, AVX; and the system saves XMM and YMM. */
    if (!has(c1, 1u << 12 | 1u << 22 | 1u << 23 | 1u << 28) || (saved & 0x06) != 0x06)
        return LEVEL_PORTABLE;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c, &d) || !has(b7, 1u << 3 | 1u << 5 | 1u << 8))
        return LEVEL_PORTABLE; /* BMI1, AVX2, BMI2 */
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !has(c, 1u << 5)) /* LZCNT */
        return LEVEL_PORTABLE;
    /* AVX-512 F, DQ, CD, BW, VL; and the system saves ZMM and the masks. */
    if (has(b7, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) && (saved & 0xe6) == 0xe6)
        return LEVEL_V4;
    return LEVEL_V3;
}

static int has_sha(void)
{
    uint32_t a, b, c, d, c1;
    return __get_cpuid(1, &a, &b, &c1, &d) && has(c1, 1u << 9 | 1u << 19) /* SSSE3, SSE4.1 */
           && __get_cpuid_count(7, 0, &a, &b, &c, &d) && has(b, 1u << 29);
}

#else

static int best_level(void)
{
    return LEVEL_PORTABLE;
}

static int has_sha(void)
{
#if defined(__aarch64__) && defined(__APPLE__)
    return 1; /* every Apple processor of 64 bits */
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) >> 6 & 1) != 0; /* HWCAP_SHA2 */
#elif defined(__aarch64__) && defined(_WIN32)
    return IsProcessorFeaturePresent(PF_ARM_V8_CRYPTO_INSTRUCTIONS_AVAILABLE) != 0;
#else
    return 0;
#endif
}

#endif

/* What there is, asked once: under a hypervisor the question takes longer than a filter. Threads
 * that ask at the same time come to the same answer. */
static int best_mode(void)
{
    static int known = -1;
    int mode = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (mode < 0) {
        mode = best_level() | (sha256_is_compiled() && has_sha() ? FLAG_SHA : 0);
        __atomic_store_n(&known, mode, __ATOMIC_RELAXED);
    }
    return mode;
}

const kernels *kernels_of(int mode)
{
    int level = mode & LEVEL_MASK;
    if (level > (best_mode() & LEVEL_MASK))
        return NULL;
#if defined(__x86_64__)
    if (level == LEVEL_V4)
        return &v4_kernels;
    if (level == LEVEL_V3)
        return &v3_kernels;
#endif
    return level == LEVEL_PORTABLE ? &portable_kernels : NULL;
}

int is_mode(int mode)
{
    if (mode < 0 || mode & ~(LEVEL_MASK | FLAG_SHA) || !kernels_of(mode))
        return 0;
    return !(mode & FLAG_SHA) || best_mode() & FLAG_SHA;
}

EXPORT int32_t engine_abi(void)
{
    return ENGINE_ABI;
}

/* The fastest mode here. All levels below it work too, each with and without the flag. */
EXPORT int32_t engine_best_mode(void)
{
    return best_mode();
}

/* What this was built from, found in the file by `packaging/build_engine.py`. */
EXPORT const char *engine_source(void)
{
    return ENGINE_SOURCE;
}
