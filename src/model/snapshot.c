#include "model/snapshot.h"

#include "aws/codec.h"
#include "base/mem.h"
#include "lambda_api.h"

enum { DOCUMENT_MAX = 16 << 20 };

/* What a snapshot needs beside its contents. */
struct held {
    struct function fn;
    struct codes *codes;
};

struct function_load *load_ref(struct function_load *load)
{
    load->refs++;
    return load;
}

void load_unref(struct function_load *load)
{
    if (--load->refs == 0)
        free(load);
}

const struct function *function_ref(const struct function *fn)
{
    struct function *counted = CAST(function, (struct function *)(uintptr_t)fn, FUNCTION_MAGIC);
    counted->refs++;
    return fn;
}

void codes_each(struct slice made_of, function_code *code, void *arg)
{
    char digest[FUNCTION_DIGEST_LEN + 1] = "";
    struct slice part;
    while (slice_cut(&made_of, ' ', &part)) {
        must(part.n == FUNCTION_DIGEST_LEN);
        memcpy(digest, part.p, part.n);
        code(arg, digest);
    }
}

bool codes_are_digests(struct slice made_of)
{
    return made_of.n % (FUNCTION_DIGEST_LEN + 1) == FUNCTION_DIGEST_LEN;
}

static void use(void *arg, const char *digest)
{
    code_use(arg, digest);
}

static void release(void *arg, const char *digest)
{
    code_release(arg, digest);
}

void codes_use_all(struct codes *codes, struct slice made_of)
{
    codes_each(made_of, use, codes);
}

void codes_release_all(struct codes *codes, struct slice made_of)
{
    codes_each(made_of, release, codes);
}

void function_unref(const struct function *fn)
{
    if (!fn)
        return;
    struct function *counted = CAST(function, (struct function *)(uintptr_t)fn, FUNCTION_MAGIC);
    must(counted->refs > 0);
    if (--counted->refs)
        return;
    struct held *held = (struct held *)(void *)counted; /* its first member */
    const struct function *previous = fn->previous;
    codes_release_all(held->codes, fn->made_of);
    load_unref(fn->load);
    counted->magic = 0;
    arena_free(fn->arena); /* the snapshot itself lies in it */
    function_unref(previous);
}

struct documents documents_of(struct arena *arena,
                              const struct lambda_FunctionConfiguration *config,
                              const struct aws_map *tags)
{
    AUTO(buf) struct buf b = BUF_INIT(DOCUMENT_MAX);
    struct documents documents = {0};
    struct lambda_FunctionConfiguration bare = *config;
    bare.Environment = NULL;
    aws_encode_struct(lambda_shape_FunctionConfiguration, &bare, &b);
    documents.config = arena_dup(arena, buf_all(&b));
    if (config->Environment) {
        buf_clear(&b);
        aws_encode_struct(lambda_shape_EnvironmentResponse, config->Environment, &b);
        documents.variables = arena_dup(arena, buf_all(&b));
    }
    buf_clear(&b);
    const struct lambda_ListTagsResponse shell = {.Tags = *tags};
    aws_encode_struct(lambda_shape_ListTagsResponse, &shell, &b);
    documents.tags = arena_dup(arena, buf_all(&b));
    must(!b.over);
    return documents;
}

static bool decode(const struct aws_shape *shape, struct slice json, struct arena *arena,
                   void **out, struct err *err)
{
    struct aws_fault fault;
    return aws_decode_struct(shape, json, arena, out, &fault) ||
           err_set(err, FAULT_INTERNAL, "stored document: %.*s", FMT(fault.message));
}

static bool decode_all(struct function *fn, const struct documents *documents, struct err *err)
{
    void *config = NULL;
    void *environment = NULL;
    void *tags = NULL;
    if (!decode(lambda_shape_FunctionConfiguration, documents->config, fn->arena, &config, err) ||
        !decode(lambda_shape_ListTagsResponse, documents->tags, fn->arena, &tags, err))
        return false;
    if (documents->variables.p && !decode(lambda_shape_EnvironmentResponse, documents->variables,
                                          fn->arena, &environment, err))
        return false;
    ((struct lambda_FunctionConfiguration *)config)->Environment = environment;
    fn->config = config;
    fn->tags = ((struct lambda_ListTagsResponse *)tags)->Tags;
    return true;
}

struct function *snapshot_new(struct functions *functions, struct function_load *load,
                              struct slice account, struct slice region,
                              const struct documents *documents, struct slice made_of,
                              struct err *err)
{
    struct arena *arena =
        arena_new_sized(3 * documents->config.n + 2 * documents->variables.n + 2048);
    struct held *held = ARENA_NEW(arena, held);
    struct function *fn = &held->fn;
    fn->arena = arena;
    if (!codes_are_digests(made_of) || !decode_all(fn, documents, err)) {
        if (!codes_are_digests(made_of))
            err_set(err, FAULT_INTERNAL, "stored digest is damaged");
        arena_free(arena);
        return NULL;
    }
    const struct lambda_FunctionConfiguration *config = fn->config;
    fn->magic = FUNCTION_MAGIC;
    fn->refs = 1;
    fn->account = arena_dup(arena, account);
    fn->region = arena_dup(arena, region);
    fn->name = config->FunctionName;
    fn->version = config->Version;
    fn->arn = config->FunctionArn;
    if (!slice_eq(fn->version, S("$LATEST"))) /* a version's own ends in it */
        fn->arn.n -= fn->version.n + 1;
    fn->memory_mb = (uint32_t)config->MemorySize.v;
    fn->timeout_s = (uint32_t)config->Timeout.v;
    fn->tmp_mb = config->EphemeralStorage ? (uint32_t)config->EphemeralStorage->Size.v : 512;
    fn->made_of = arena_dup(arena, made_of);
    memcpy(fn->code, made_of.p, FUNCTION_DIGEST_LEN);
    fn->load = load_ref(load);
    held->codes = functions->codes;
    codes_use_all(held->codes, fn->made_of);
    return fn;
}
