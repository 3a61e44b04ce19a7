/* Markers of pages: any key comes back from its own marker, and what is taken as a marker is one.
 */
#include "front/marker.h"
#include "base/mem.h"
#include "lambda_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice wrap(struct slice key, struct arena *arena)
{
    const struct lambda_ListFunctionsResponse page = {.NextMarker = key};
    const struct lambda_ListFunctionsResponse *out =
        marker_wrap(&lambda_op_ListFunctions, &page, arena);
    return out->NextMarker;
}

static bool unwrap(struct slice marker, struct arena *arena, struct slice *out_key)
{
    struct lambda_ListFunctionsRequest input = {.Marker = marker};
    if (!marker_unwrap(&lambda_op_ListFunctions, &input, arena))
        return false;
    *out_key = input.Marker;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct slice any = {(const char *)data, size};
    struct slice key;
    must(unwrap(wrap(any, arena), arena, &key) && slice_eq(key, any));
    if (size && unwrap(any, arena, &key)) {
        struct slice again;
        must(key.n && unwrap(wrap(key, arena), arena, &again) && slice_eq(key, again));
    }
    return 0;
}
