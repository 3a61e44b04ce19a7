/* Names of functions: what is read as one comes back the same from the ARN made of it. */
#include "aws/target.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(struct slice s)
{
    return slice_find(s, ':') == SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice none = {NULL, 0};
    AUTO(arena) struct arena *arena = arena_new();
    struct slice name = {(const char *)data, size};
    struct target once;
    struct target twice;
    if (slice_find(name, '\0') != SIZE_MAX)
        return 0; /* neither paths nor bodies let one through */
    if (target_parse(name, none, S("123456789012"), S("us-east-1"), &once) != TARGET_OK)
        return 0;
    must(once.name.n && is_plain(once.name) && is_plain(once.account) && is_plain(once.qualifier));
    must(slice_eq(once.region, S("us-east-1")));
    struct slice arn = target_arn(arena, &once, once.qualifier);
    must(target_parse(arn, once.qualifier, S("0"), S("us-east-1"), &twice) == TARGET_OK);
    must(slice_eq(once.name, twice.name) && slice_eq(once.account, twice.account));
    must(slice_eq(once.qualifier, twice.qualifier) && !once.qualifier.p == !twice.qualifier.p);
    return 0;
}
