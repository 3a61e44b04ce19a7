/* The payload check against another parser: what jansson accepts is JSON for us too, and what we
 * accept and jansson does not is only what it cannot represent (numbers out of range, escapes of
 * half a surrogate pair). */
#include "codec/json_check.h"
#include "base/must.h"

#include <jansson.h>

static bool only_representation(const json_error_t *error)
{
    return strstr(error->text, "too big") || strstr(error->text, "invalid Unicode") ||
           strstr(error->text, "real number overflow");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_fault fault;
    json_error_t error;
    struct slice text = {(const char *)data, size};
    if (slice_find(text, '\0') != SIZE_MAX) {
        must(!json_check(text, &fault)); /* for jansson it may be the end of the text */
        return 0;
    }
    bool ours = json_check(text, &fault);
    json_t *root = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool too_deep = !ours && strstr(fault.what, "depth");
    must(ERGO(root != NULL, ours || too_deep));
    must(ERGO(ours && !root, only_representation(&error)));
    must(ERGO(!ours, fault.at <= size && fault.line >= 1 && fault.column >= 1));
    json_decref(root);
    return 0;
}
