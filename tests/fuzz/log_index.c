/* A saved index of a log group, as a crash or somebody else may have left it, then records of a
 * segment: what is loaded is saved and loaded the same. */
#include "store/log_index.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_all(const struct log_index *index)
{
    const struct log_stream_state *stream = NULL;
    const struct log_span *spans = NULL;
    const struct log_gone *gone = NULL;
    size_t sum = 0;
    size_t at = 0;
    while (log_index_next(index, &at, &stream))
        sum += stream->name.n + (size_t)stream->last_position + stream->made;
    size_t n = log_index_spans(index, &spans);
    for (size_t i = 0; i < n; i++)
        sum += (size_t)spans[i].bytes + spans[i].number;
    n = log_index_gone(index, &gone);
    for (size_t i = 0; i < n; i++)
        sum += gone[i].name.n;
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    AUTO(buf) struct buf saved = BUF_INIT(SIZE_MAX);
    struct record record;
    uint32_t next = 0;
    uint32_t again = 0;
    size_t at = 0;
    struct log_index *index = log_index_load(input, &next);
    if (!index)
        index = log_index_new();
    log_index_segment(index, next);
    while (segment_next(input, &at, &record))
        log_index_apply(index, &record, at);
    log_index_save(index, UINT32_MAX, &saved);
    struct log_index *copy = log_index_load(buf_all(&saved), &again);
    must(copy && again == UINT32_MAX && log_index_streams(copy) == log_index_streams(index));
    read_all(index);
    read_all(copy);
    log_index_drop(index, next);
    read_all(index);
    log_index_free(index);
    log_index_free(copy);
    return 0;
}
