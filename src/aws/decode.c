#include "aws/codec.h"
#include "aws/query.h"

#include "codec/base64.h"
#include "codec/json_check.h"

#include <jansson.h>
#include <math.h>

/* The largest request of the models, PutLogEvents with 10,000 events, has some 40,000. */
enum {
    VALUES_MAX = 100000,
    REPEATED_MAX = 1000, /* of one query key; a line of 64 KB holds not many more */
};

size_t aws_value_size(const struct aws_shape *shape)
{
    switch (shape->type) {
    case AWS_STRING:
    case AWS_BLOB:
        return sizeof(struct slice);
    case AWS_INTEGER:
    case AWS_LONG:
        return sizeof(struct opt_i64);
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
        return sizeof(struct opt_f64);
    case AWS_BOOLEAN:
        return sizeof(struct opt_bool);
    case AWS_STRUCTURE:
        return sizeof(void *);
    case AWS_LIST:
        return sizeof(struct aws_list);
    case AWS_MAP:
        return sizeof(struct aws_map);
    }
    return 0;
}

struct decoder {
    struct arena *arena;
    struct aws_fault *fault;
};

static bool fail(struct decoder *d, const char *code, struct slice message)
{
    d->fault->code = code;
    d->fault->message = message;
    return false;
}

/* What came, and what the shape wants, in the words of AWS's own parser. */
static bool wrong_type(struct decoder *d, const json_t *json, const struct aws_shape *shape)
{
    static const char *const wanted[] = {
        [AWS_STRING] = "a String",    [AWS_BLOB] = "a Blob",
        [AWS_INTEGER] = "an Integer", [AWS_LONG] = "a Long",
        [AWS_DOUBLE] = "a Double",    [AWS_TIMESTAMP] = "a Timestamp",
        [AWS_BOOLEAN] = "a Boolean",  [AWS_STRUCTURE] = "a Structure",
        [AWS_LIST] = "a List",        [AWS_MAP] = "a Map"};
    static const char *const came[] = {
        [JSON_OBJECT] = "START_OBJECT_VALUE", [JSON_ARRAY] = "START_ARRAY_VALUE",
        [JSON_STRING] = "STRING_VALUE",       [JSON_INTEGER] = "NUMBER_VALUE",
        [JSON_REAL] = "DECIMAL_VALUE",        [JSON_TRUE] = "TRUE_VALUE",
        [JSON_FALSE] = "FALSE_VALUE",         [JSON_NULL] = "NULL_VALUE"};
    return fail(d, "SerializationException",
                arena_printf(d->arena, "%s can not be converted to %s", came[json_typeof(json)],
                             wanted[shape->type]));
}

static bool decode_value(struct decoder *d, const struct aws_shape *shape, json_t *json, void *to);

static bool decode_blob(struct decoder *d, struct slice text, struct slice *out)
{
    struct buf bytes = BUF_INIT(text.n);
    if (!base64_decode(&bytes, text)) {
        buf_free(&bytes);
        return fail(d, "SerializationException", S("Blob is not valid base64"));
    }
    *out = arena_dup(d->arena, buf_all(&bytes));
    buf_free(&bytes);
    return true;
}

static bool decode_members(struct decoder *d, const struct aws_shape *shape, json_t *json, void *to,
                           bool whole)
{
    if (!json_is_object(json))
        return wrong_type(d, json, shape);
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        if (!whole && m->where != AWS_BODY)
            continue;
        json_t *value = json_object_getn(json, m->wire.p, m->wire.n);
        if (value && !json_is_null(value) &&
            !decode_value(d, m->shape, value, (char *)to + m->offset))
            return false;
    }
    return true;
}

static bool decode_list(struct decoder *d, const struct aws_shape *shape, json_t *json,
                        struct aws_list *out)
{
    size_t size = aws_value_size(shape->element);
    if (!json_is_array(json))
        return wrong_type(d, json, shape);
    out->set = true;
    out->n = json_array_size(json);
    out->items = arena_array(d->arena, out->n ? out->n : 1, size);
    for (size_t i = 0; i < out->n; i++) {
        json_t *item = json_array_get(json, i);
        if (!json_is_null(item) &&
            !decode_value(d, shape->element, item, (char *)out->items + i * size))
            return false;
    }
    return true;
}

static bool decode_map(struct decoder *d, const struct aws_shape *shape, json_t *json,
                       struct aws_map *out)
{
    size_t size = aws_value_size(shape->element);
    const char *key = NULL;
    json_t *item = NULL;
    if (!json_is_object(json))
        return wrong_type(d, json, shape);
    size_t count = json_object_size(json);
    out->set = true;
    out->keys = arena_array(d->arena, count ? count : 1, sizeof *out->keys);
    out->values = arena_array(d->arena, count ? count : 1, size);
    json_object_foreach(json, key, item)
    {
        out->keys[out->n] = arena_dup(d->arena, slice_str(key));
        if (!json_is_null(item) &&
            !decode_value(d, shape->element, item, (char *)out->values + out->n * size))
            return false;
        out->n++;
    }
    return true;
}

static bool decode_value(struct decoder *d, const struct aws_shape *shape, json_t *json, void *to)
{
    struct slice text = {json_string_value(json), json_string_length(json)};
    switch (shape->type) {
    case AWS_STRING:
        if (!json_is_string(json))
            return wrong_type(d, json, shape);
        *(struct slice *)to = arena_dup(d->arena, text);
        return true;
    case AWS_BLOB:
        if (!json_is_string(json))
            return wrong_type(d, json, shape);
        return decode_blob(d, text, to);
    case AWS_INTEGER:
    case AWS_LONG:
        if (!json_is_integer(json))
            return wrong_type(d, json, shape);
        *(struct opt_i64 *)to = OPT_I64(json_integer_value(json));
        return true;
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
        if (!json_is_number(json))
            return wrong_type(d, json, shape);
        *(struct opt_f64 *)to = OPT_F64(json_number_value(json));
        return true;
    case AWS_BOOLEAN:
        if (!json_is_boolean(json))
            return wrong_type(d, json, shape);
        *(struct opt_bool *)to = OPT_BOOL(json_is_true(json));
        return true;
    case AWS_STRUCTURE:
        *(void **)to = arena_alloc(d->arena, shape->size);
        return decode_members(d, shape, json, *(void **)to, true);
    case AWS_LIST:
        return decode_list(d, shape, json, to);
    case AWS_MAP:
        return decode_map(d, shape, json, to);
    }
    return false;
}

/* The words of Lambda's parser differ from ours; clients only look at the front part. */
static json_t *parse(struct decoder *d, struct slice text, size_t flags)
{
    json_error_t error;
    if (json_weight(text, VALUES_MAX) >= VALUES_MAX) {
        fail(d, "InvalidRequestContentException",
             S("Could not parse request body into json: too many values"));
        return NULL;
    }
    json_t *json = json_loadb(text.p, text.n, flags | JSON_DECODE_ANY, &error);
    if (!json)
        fail(d, "InvalidRequestContentException",
             arena_printf(d->arena,
                          "Could not parse request body into json: %s (line %d, column %d)",
                          error.text, error.line, error.column));
    return json;
}

/* A member that is not in the body comes as text: from the path, the query or a header. */
static bool decode_text(struct decoder *d, const struct aws_member *m, struct slice text, void *to)
{
    int64_t number = 0;
    switch (m->shape->type) {
    case AWS_STRING:
        *(struct slice *)to = arena_dup(d->arena, text);
        return true;
    case AWS_INTEGER:
    case AWS_LONG:
        if (!slice_i64(text, &number))
            return fail(d, "SerializationException",
                        arena_printf(d->arena, "STRING_VALUE can not be converted to %s",
                                     m->shape->type == AWS_LONG ? "a Long" : "an Integer"));
        *(struct opt_i64 *)to = OPT_I64(number);
        return true;
    case AWS_BOOLEAN:
        *(struct opt_bool *)to = OPT_BOOL(slice_eq_nocase(text, S("true")));
        return true;
    case AWS_LIST: /* decode_repeated() */
    case AWS_BLOB:
    case AWS_DOUBLE:
    case AWS_TIMESTAMP:
    case AWS_STRUCTURE:
    case AWS_MAP:
        break;
    }
    return true;
}

/* The services that speak it have another name for what does not fit the model. */
static bool decode_query(const struct aws_shape *shape, struct slice form, struct arena *arena,
                         void *input, void **out_input, struct aws_fault *fault)
{
    if (!aws_query_decode(shape, form, arena, input, fault))
        return false;
    if (!aws_validate(shape, input, arena, fault)) {
        fault->code = "ValidationError";
        return false;
    }
    *out_input = input;
    return true;
}

/* A list of strings in the query: its key is there once for each. */
static bool decode_repeated(struct decoder *d, const struct aws_source *source,
                            const struct aws_member *m, struct aws_list *list)
{
    size_t n = 0;
    while (n < REPEATED_MAX && source->get(source->arg, m->where, m->wire, n).p)
        n++;
    if (!n)
        return true;
    *list = (struct aws_list){true, n, arena_array(d->arena, n, sizeof(struct slice))};
    for (size_t i = 0; i < n; i++)
        *AWS_ITEM(*list, struct slice, i) =
            arena_dup(d->arena, source->get(source->arg, m->where, m->wire, i));
    return true;
}

static bool decode_part(struct decoder *d, const struct aws_source *source,
                        const struct aws_member *m, void *to)
{
    if (m->shape->type == AWS_LIST)
        return decode_repeated(d, source, m, to);
    struct slice text = source->get(source->arg, m->where, m->wire, 0);
    return !text.p || decode_text(d, m, text, to);
}

bool aws_decode_input(const struct aws_operation *op, const struct aws_source *source,
                      struct arena *arena, void **out_input, struct aws_fault *fault)
{
    struct decoder d = {arena, fault};
    const struct aws_shape *shape = op->input;
    if (!shape) {
        *out_input = NULL;
        return true;
    }
    void *input = arena_alloc(arena, shape->size);
    if (op->service->protocol == AWS_QUERY_XML)
        return decode_query(shape, source->body, arena, input, out_input, fault);
    bool body = false;
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct aws_member *m = &shape->members[i];
        if (m->where == AWS_BODY) {
            body = true;
        } else if (m->where != AWS_PAYLOAD && m->where != AWS_STATUS) {
            if (!decode_part(&d, source, m, (char *)input + m->offset))
                return false;
        }
    }
    if (body && source->body.n) {
        json_t *json = parse(&d, source->body, 0);
        if (!json && op->service->protocol == AWS_JSON)
            fault->code = "SerializationException"; /* so the neighbours call it */
        bool ok = json && decode_members(&d, shape, json, input, false);
        json_decref(json);
        if (!ok)
            return false;
    }
    if (!aws_validate(shape, input, arena, fault)) {
        if (op->service->invalid)
            fault->code = op->service->invalid;
        return false;
    }
    *out_input = input;
    return true;
}

bool aws_decode_struct(const struct aws_shape *shape, struct slice text, struct arena *arena,
                       void **out_value, struct aws_fault *fault)
{
    struct decoder d = {arena, fault};
    json_t *json = parse(&d, text, JSON_ALLOW_NUL); /* our own words: what went in comes out */
    if (!json)
        return false;
    void *value = arena_alloc(arena, shape->size);
    bool ok = decode_members(&d, shape, json, value, true);
    json_decref(json);
    if (ok)
        *out_value = value;
    return ok;
}
