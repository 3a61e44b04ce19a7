/* Forms of the Query protocol against the tables: whatever comes, it is decoded or refused; what
 * was decoded goes out as JSON and comes back the same, and its XML holds nothing that XML cannot.
 * The first byte chooses the operation. */
#include "aws/query.h"
#include "base/mem.h"
#include "iam_api.h"
#include "sts_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice get(void *arg, enum aws_where where, struct slice name, size_t nth)
{
    (void)arg;
    (void)where;
    (void)name;
    return (struct slice){NULL, 0};
}

static const struct aws_operation *choose(size_t number)
{
    if (number % 4 == 0)
        return sts_service.operations[number / 4 % sts_service.operation_count];
    return iam_service.operations[number % iam_service.operation_count];
}

/* A second, simple reader: tags close in the order in which they were opened. */
static void check_xml(struct slice xml)
{
    size_t depth = 0;
    for (size_t i = 0; i < xml.n; i++) {
        unsigned char c = (unsigned char)xml.p[i];
        must(c >= 0x20 || c == '\n' || c == '\t');
        if (c == '<')
            depth = xml.p[i + 1] == '/' ? depth - 1 : depth + 1;
        must(depth < 100);
    }
    must(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(buf) struct buf once = BUF_INIT(64 << 20);
    AUTO(buf) struct buf twice = BUF_INIT(64 << 20);
    AUTO(buf) struct buf xml = BUF_INIT(64 << 20);
    const struct aws_operation *op = choose(data[0]);
    struct aws_source source = {{(const char *)data + 1, size - 1}, get, NULL};
    struct aws_fault fault = {NULL, {NULL, 0}};
    void *input = NULL;
    bool good = aws_decode_input(op, &source, arena, &input, &fault);
    if (!good) {
        must(fault.code && fault.message.p);
        aws_query_error(op->service, fault.code, 400, fault.message, S("id"), &xml);
        check_xml(buf_all(&xml));
        return 0;
    }
    if (!op->input)
        return 0;
    aws_encode_struct(op->input, input, &once);
    must(aws_decode_struct(op->input, buf_all(&once), arena, &input, &fault));
    aws_encode_struct(op->input, input, &twice);
    must(slice_eq(buf_all(&once), buf_all(&twice)));
    struct aws_operation echo = *op;
    echo.output = op->input;
    aws_query_answer(&echo, input, S("id"), &xml);
    check_xml(buf_all(&xml));
    return 0;
}
