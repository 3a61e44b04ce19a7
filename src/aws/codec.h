/* Requests into typed structs, typed structs into answers, by the tables alone. */
#ifndef LK_AWS_CODEC_H
#define LK_AWS_CODEC_H

#include "aws/shape.h"
#include "base/arena.h"
#include "base/buf.h"

/* What is wrong with a request, in AWS's words. */
struct aws_fault {
    const char *code;     /* "ValidationException", ... */
    struct slice message; /* in the arena */
};

/* Where the parts of a request come from. NULL results mean "absent". */
struct aws_source {
    struct slice body;
    struct slice (*get)(void *arg, enum aws_where where, struct slice wire_name,
                        size_t nth); /* decoded; nth: of a query key that is repeated */
    void *arg;
};

/* Decodes and validates. The result, a struct <service>_<Input>, lies in the arena. */
bool aws_decode_input(const struct aws_operation *op, const struct aws_source *source,
                      struct arena *arena, void **out_input, struct aws_fault *fault) MUST_USE;

/* The JSON body of an answer: members that go into the body only. A payload member is written raw.
 */
void aws_encode_output(const struct aws_shape *shape, const void *value, struct buf *out);

/* Whole structs as JSON documents, wherever their members lie in a request: for what is stored. */
void aws_encode_struct(const struct aws_shape *shape, const void *value, struct buf *out);
bool aws_decode_struct(const struct aws_shape *shape, struct slice json, struct arena *arena,
                       void **out_value, struct aws_fault *fault) MUST_USE;

/* Is there a value? Each type says so in its own way (value.h). */
bool aws_is_set(const struct aws_shape *shape, const void *value);

/* The constraints of the model, in Lambda's own words (controlplane.md facts 4-6). */
bool aws_validate(const struct aws_shape *shape, const void *value, struct arena *arena,
                  struct aws_fault *fault) MUST_USE;

/* A list of structures, as answers hold them: pointers to the `count` structs of an array. */
struct aws_list aws_list_of(struct arena *arena, void *structs, size_t count, size_t size);

/* A JSON string with quotes; invalid UTF-8 becomes U+FFFD. */
void aws_json_string(struct buf *out, struct slice s);

/* How an error goes over the wire; never NULL: unknown codes are 400 with "message". */
const struct aws_error_row *aws_error_find(const struct aws_service *service, const char *code);

#endif
