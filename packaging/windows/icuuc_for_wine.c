/* For trying the program under wine only, never shipped: Windows brings icuuc.dll, wine does not.
 *
 * Qt asks it for converters of rare text encodings (ucnv.h of ICU). There is none here: opening one
 * fails with U_FILE_ACCESS_ERROR, so that Qt calls nothing else with a converter in its hand.
 */
#include <stdint.h>
#include <stddef.h>

#define EXPORT __declspec(dllexport)

typedef int32_t UErrorCode;
typedef uint16_t UChar;
enum { U_FILE_ACCESS_ERROR = 4, U_ILLEGAL_ARGUMENT_ERROR = 1 };

static void refuse(UErrorCode *error) {
    if (error != NULL && *error <= 0) *error = U_ILLEGAL_ARGUMENT_ERROR;
}

EXPORT void *ucnv_open(const char *name, UErrorCode *error) {
    (void)name;
    if (error != NULL) *error = U_FILE_ACCESS_ERROR;
    return NULL;
}
EXPORT void ucnv_close(void *converter) { (void)converter; }
EXPORT void ucnv_reset(void *converter) { (void)converter; }
EXPORT int8_t ucnv_getMaxCharSize(const void *converter) { (void)converter; return 1; }
EXPORT const char *ucnv_getName(const void *converter, UErrorCode *error) {
    (void)converter;
    refuse(error);
    return NULL;
}
EXPORT int32_t ucnv_countAvailable(void) { return 0; }
EXPORT const char *ucnv_getAvailableName(int32_t n) { (void)n; return NULL; }
EXPORT const char *ucnv_getStandardName(const char *name, const char *standard, UErrorCode *error) {
    (void)name; (void)standard;
    refuse(error);
    return NULL;
}
EXPORT int32_t ucnv_toUCountPending(const void *converter, UErrorCode *error) {
    (void)converter;
    refuse(error);
    return -1;
}
EXPORT int32_t ucnv_fromUCountPending(const void *converter, UErrorCode *error) {
    (void)converter;
    refuse(error);
    return -1;
}
EXPORT void ucnv_getToUCallBack(const void *converter, void **action, const void **context) {
    (void)converter;
    *action = NULL;
    *context = NULL;
}
EXPORT void ucnv_getFromUCallBack(const void *converter, void **action, const void **context) {
    ucnv_getToUCallBack(converter, action, context);
}
EXPORT void ucnv_setToUCallBack(void *converter, void *action, const void *context, void **old,
                                const void **old_context, UErrorCode *error) {
    (void)converter; (void)action; (void)context; (void)old; (void)old_context;
    refuse(error);
}
EXPORT void ucnv_setFromUCallBack(void *converter, void *action, const void *context, void **old,
                                  const void **old_context, UErrorCode *error) {
    ucnv_setToUCallBack(converter, action, context, old, old_context, error);
}
EXPORT void UCNV_FROM_U_CALLBACK_SUBSTITUTE(void) {}
EXPORT void UCNV_TO_U_CALLBACK_SUBSTITUTE(void) {}
EXPORT void ucnv_cbToUWriteUChars(void *arguments, const UChar *source, int32_t length,
                                  int32_t offset, UErrorCode *error) {
    (void)arguments; (void)source; (void)length; (void)offset;
    refuse(error);
}
EXPORT void ucnv_cbFromUWriteUChars(void *arguments, const UChar **source, const UChar *limit,
                                    int32_t offset, UErrorCode *error) {
    (void)arguments; (void)source; (void)limit; (void)offset;
    refuse(error);
}
EXPORT void ucnv_toUnicode(void *converter, UChar **target, const UChar *target_limit,
                           const char **source, const char *source_limit, int32_t *offsets,
                           int8_t flush, UErrorCode *error) {
    (void)converter; (void)target; (void)target_limit; (void)source; (void)source_limit;
    (void)offsets; (void)flush;
    refuse(error);
}
EXPORT void ucnv_fromUnicode(void *converter, char **target, const char *target_limit,
                             const UChar **source, const UChar *source_limit, int32_t *offsets,
                             int8_t flush, UErrorCode *error) {
    (void)converter; (void)target; (void)target_limit; (void)source; (void)source_limit;
    (void)offsets; (void)flush;
    refuse(error);
}
