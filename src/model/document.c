#include "model/document.h"

#include "aws/codec.h"
#include "base/mem.h"

struct document {
    unsigned refs;
    struct slice json; /* behind this */
    struct arena *decoded;
    void *value; /* NULL: nobody has asked yet */
};

struct document *document_new(struct slice json)
{
    struct document *document = mem_new(sizeof *document + json.n);
    document->refs = 1;
    memcpy(document + 1, json.p, json.n);
    document->json = (struct slice){(const char *)(document + 1), json.n};
    return document;
}

struct document *document_ref(struct document *document)
{
    if (document)
        document->refs++;
    return document;
}

void document_unref(struct document *document)
{
    if (!document || --document->refs)
        return;
    arena_free(document->decoded);
    free(document);
}

struct slice document_json(const struct document *document)
{
    return document->json;
}

const void *document_value(struct document *document, const struct aws_shape *shape,
                           struct err *err)
{
    struct aws_fault fault;
    if (document->value)
        return document->value;
    arena_free(document->decoded);
    document->decoded = arena_new_sized(shape->size + 3 * document->json.n);
    if (!aws_decode_struct(shape, document->json, document->decoded, &document->value, &fault))
        err_set(err, FAULT_INTERNAL, "%.*s", FMT(fault.message));
    return document->value;
}
