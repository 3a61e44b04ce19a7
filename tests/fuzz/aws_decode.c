/* Request bodies against the tables: whatever comes, it is decoded or refused; what was decoded
 * goes out as JSON and comes back the same. The first byte chooses the operation. */
#include "aws/codec.h"
#include "base/mem.h"
#include "lambda_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice get(void *arg, enum aws_where where, struct slice name, size_t nth)
{
    (void)where;
    (void)name;
    return *(struct slice *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(buf) struct buf once = BUF_INIT(64 << 20);
    AUTO(buf) struct buf twice = BUF_INIT(64 << 20);
    const struct aws_operation *op =
        lambda_service.operations[data[0] % lambda_service.operation_count];
    struct slice body = {(const char *)data + 1, size - 1};
    struct slice part = slice_sub(body, 0, 40);
    struct aws_source source = {body, get, &part};
    struct aws_fault fault = {NULL, {NULL, 0}};
    void *input = NULL;
    if (!aws_decode_input(op, &source, arena, &input, &fault)) {
        must(fault.code && fault.message.p);
        return 0;
    }
    if (!op->input)
        return 0;
    aws_encode_struct(op->input, input, &once);
    must(aws_decode_struct(op->input, buf_all(&once), arena, &input, &fault));
    aws_encode_struct(op->input, input, &twice);
    must(slice_eq(buf_all(&once), buf_all(&twice)));
    return 0;
}
