/* Tokens: what is read as one is printed the same, but for zeros in front of numbers. */
#include "services/log_token.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct slice token = {(const char *)data, size};
    struct log_key key;
    bool backward = false;
    uint64_t created = 0;
    uint64_t position = 0;
    uint64_t again[2] = {0, 0};
    if (log_token_read_key(token, &key))
        must(slice_eq(token, log_token_key(arena, key)));
    if (log_token_read_page(token, &backward, &key))
        must(slice_eq(token, log_token_page(arena, backward, key)));
    if (log_token_read_arrival(token, &created, &position)) {
        struct slice text = log_token_arrival(arena, created, position);
        must(log_token_read_arrival(text, &again[0], &again[1]));
        must(again[0] == created && again[1] == position);
    }
    return 0;
}
