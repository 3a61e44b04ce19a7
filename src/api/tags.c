/* TagResource, UntagResource, ListTags (controlplane.md section 7). A function's tags lie in its
 * row, as they change its revision; those of everything else in a table under its ARN. */
#include "api/check.h"
#include "api/internal.h"

struct tagged {
    struct slice arn;
    struct slice kind; /* "function", "layer", "code-signing-config", ... */
    struct target function;
};

static bool parse_arn(struct call *call, struct slice arn, struct tagged *out)
{
    struct slice rest = arn;
    struct slice part = {NULL, 0};
    for (int i = 0; i < 6; i++)
        slice_cut(&rest, ':', &part);
    *out = (struct tagged){.arn = arn, .kind = part};
    if (!slice_eq(part, S("function")))
        return true;
    if (!api_target(call, arn, (struct slice){NULL, 0}, &out->function))
        return false;
    if (!out->function.qualifier.p)
        return true;
    call_fail(call, "InvalidParameterValueException",
              "Tags on function aliases and versions are not supported. Please specify a function "
              "ARN.");
    return false;
}

static bool is_function(const struct tagged *tagged)
{
    return slice_eq(tagged->kind, S("function"));
}

/* Answers for resources that are not there; functions are looked up by what follows. */
static bool exists(struct call *call, const struct tagged *tagged)
{
    const struct function *fn = NULL;
    if (is_function(tagged))
        return api_find(call, &tagged->function, &fn);
    if (slice_eq(tagged->kind, S("code-signing-config")))
        return api_find_signing(call, tagged->arn) != NULL;
    if (slice_eq(tagged->kind, S("layer")))
        return api_layer_exists(call, tagged->arn);
    const char *what = slice_eq(tagged->kind, S("event-source-mapping")) ? "Event source mapping"
                                                                         : "Capacity provider";
    call_fail(call, "ResourceNotFoundException", "%s not found: %.*s", what, FMT(tagged->arn));
    return false;
}

static struct aws_map tags_of(const struct call *call, const struct tagged *tagged)
{
    const struct api_context *api = call->context;
    if (is_function(tagged))
        return functions_find(api->functions, tagged->function.account, tagged->function.region,
                              tagged->function.name, (struct slice){NULL, 0})
            ->tags;
    const struct lambda_ListTagsResponse *row = table_get(api_resources(call)->tags, tagged->arn);
    return row ? row->Tags : (struct aws_map){.set = false};
}

/* ---- changing ---- */

static void save(struct call *call, const struct tagged *tagged, const struct aws_map *tags)
{
    struct target target;
    if (is_function(tagged)) {
        struct function_change *change = api_begin_change(call, tagged->arn, &target);
        if (change)
            change_tags(change, tags, api_changed, call);
        return;
    }
    const struct lambda_ListTagsResponse row = {*tags};
    struct table_write *write = api_write(call);
    if (tags->n)
        table_put(write, api_resources(call)->tags, tagged->arn, &row);
    else
        table_delete(write, api_resources(call)->tags, tagged->arn);
    api_commit(call, write, 204, NULL);
}

static size_t position(const struct aws_map *map, struct slice key)
{
    size_t at = 0;
    while (at < map->n && !slice_eq(map->keys[at], key))
        at++;
    return at;
}

static struct aws_map room_for(struct arena *arena, const struct aws_map *tags, size_t more)
{
    struct aws_map map = {true, tags->n, arena_array(arena, tags->n + more + 1, sizeof *map.keys),
                          arena_array(arena, tags->n + more + 1, sizeof(struct slice))};
    if (tags->n) {
        memcpy(map.keys, tags->keys, tags->n * sizeof *map.keys);
        memcpy(map.values, tags->values, tags->n * sizeof(struct slice));
    }
    return map;
}

void api_tag_resource(struct call *call)
{
    const struct lambda_TagResourceRequest *input = call->input;
    struct tagged tagged;
    if (!parse_arn(call, input->Resource, &tagged))
        return;
    if (!input->Tags.n) {
        call_fail(call, "InvalidParameterValueException",
                  "An error occurred and the request cannot be processed.");
        return;
    }
    if (!exists(call, &tagged))
        return;
    struct aws_map old = tags_of(call, &tagged);
    struct aws_map tags = room_for(call->arena, &old, input->Tags.n);
    for (size_t i = 0; i < input->Tags.n; i++) {
        size_t at = position(&tags, input->Tags.keys[i]);
        tags.keys[at] = input->Tags.keys[i];
        ((struct slice *)tags.values)[at] = ((const struct slice *)input->Tags.values)[i];
        tags.n += at == tags.n;
    }
    if (tags.n > CHECK_TAGS_MAX) {
        call_fail(call, "InvalidParameterValueException",
                  "Number of tags exceeds resource tag limit.");
        return;
    }
    save(call, &tagged, &tags);
}

void api_untag_resource(struct call *call)
{
    const struct lambda_UntagResourceRequest *input = call->input;
    struct tagged tagged;
    if (!parse_arn(call, input->Resource, &tagged) || !exists(call, &tagged))
        return;
    struct aws_map old = tags_of(call, &tagged);
    struct aws_map tags = room_for(call->arena, &old, 0);
    for (size_t i = 0; i < input->TagKeys.n; i++) {
        size_t at = position(&tags, *AWS_ITEM(input->TagKeys, struct slice, i));
        if (at == tags.n)
            continue;
        tags.keys[at] = tags.keys[--tags.n];
        ((struct slice *)tags.values)[at] = ((struct slice *)tags.values)[tags.n];
    }
    save(call, &tagged, &tags);
}

void api_list_tags(struct call *call)
{
    const struct lambda_ListTagsRequest *input = call->input;
    struct tagged tagged;
    if (!parse_arn(call, input->Resource, &tagged) || !exists(call, &tagged))
        return;
    struct lambda_ListTagsResponse answer = {tags_of(call, &tagged)};
    answer.Tags.set = true; /* {} for none */
    call_ok(call, 0, &answer);
}
