/* PublishLayerVersion, GetLayerVersion, GetLayerVersionByArn, ListLayers, ListLayerVersions,
 * DeleteLayerVersion (controlplane.md section 11). */
#include "api/layers.h"

#include "api/check.h"
#include "api/config.h"
#include "model/code.h"
#include "model/stamp.h"

#include <inttypes.h>

enum { PUBLISHING_MAGIC = 0x6c617972 };

/* ---- names ---- */

/* "NAME" or arn:aws:lambda:R:A:layer:NAME[:VERSION] */
bool layer_parse(const struct call *call, struct slice given, struct layer_name *out)
{
    struct slice part[8];
    size_t n = 0;
    struct slice rest = given;
    *out = (struct layer_name){.account = call->account, .region = call->region, .name = given};
    if (!slice_starts(given, S("arn:")))
        return true;
    while (n < COUNT_OF(part) && slice_cut(&rest, ':', &part[n]))
        n++;
    if (n < 7 || !slice_eq(part[5], S("layer")))
        return false;
    out->region = part[3];
    out->account = part[4];
    out->name = part[6];
    return n < 8 || slice_i64(part[7], &out->version);
}

struct slice layer_key(const struct call *call, const struct layer_name *layer)
{
    struct slice key = arena_printf(call->arena, "%.*s %.*s %.*s", FMT(layer->account),
                                    FMT(layer->region), FMT(layer->name));
    return layer->version ? arena_printf(call->arena, "%.*s %010" PRId64, FMT(key), layer->version)
                          : key;
}

struct slice layer_arn(const struct call *call, const struct layer_name *layer)
{
    struct slice arn = arena_printf(call->arena, "arn:aws:lambda:%.*s:%.*s:layer:%.*s",
                                    FMT(layer->region), FMT(layer->account), FMT(layer->name));
    return layer->version ? arena_printf(call->arena, "%.*s:%" PRId64, FMT(arn), layer->version)
                          : arn;
}

bool layer_is_own(struct call *call, const struct layer_name *layer)
{
    bool own = slice_eq(layer->account, call->account);
    if (!own)
        call_fail(call, "AccessDeniedException",
                  "User: arn:aws:iam::%.*s:root is not authorized to perform: lambda:%.*s on "
                  "resource: %.*s because no resource-based policy allows the lambda:%.*s action",
                  FMT(call->account), FMT(call->op->name), FMT(layer_arn(call, layer)),
                  FMT(call->op->name));
    return own;
}

const struct store_LayerVersion *layer_find(const struct resources *resources,
                                            const struct call *call, const struct layer_name *layer)
{
    return table_get(resources->layer_versions, layer_key(call, layer));
}

/* A layer and one of its versions, as a request names them. NULL: answered. */
static const struct store_LayerVersion *find(struct call *call, struct slice name,
                                             struct opt_i64 version, struct layer_name *layer)
{
    if (!layer_parse(call, name, layer)) {
        call_fail(call, "ValidationException", "Invalid layer name: %.*s", FMT(name));
        return NULL;
    }
    if (version.set)
        layer->version = version.v;
    if (layer->version < 1) {
        call_fail(call, "InvalidParameterValueException", "Layer Version Cannot be less than 1");
        return NULL;
    }
    const struct store_LayerVersion *found = layer_find(api_resources(call), call, layer);
    if (!found)
        call_fail(call, "ResourceNotFoundException", "The resource you requested does not exist.");
    return found;
}

/* Of the layer as a whole, whichever version is named. */
static size_t count_versions(const struct call *call, const struct layer_name *layer)
{
    const struct layer_name whole = {layer->account, layer->region, layer->name, 0};
    return table_count(api_resources(call)->layer_versions,
                       arena_printf(call->arena, "%.*s ", FMT(layer_key(call, &whole))));
}

bool api_layer_exists(struct call *call, struct slice arn)
{
    struct layer_name layer;
    if (layer_parse(call, arn, &layer) && count_versions(call, &layer))
        return true;
    call_fail(call, "ResourceNotFoundException", "The resource you requested does not exist.");
    return false;
}

/* ---- reading ---- */

static struct lambda_LayerVersionContentOutput *content(struct call *call,
                                                        const struct store_LayerVersion *version)
{
    struct lambda_LayerVersionContentOutput *out =
        ARENA_NEW(call->arena, lambda_LayerVersionContentOutput);
    out->Location = api_code_url(call, version->Code);
    out->CodeSha256 = version->CodeSha256;
    out->CodeSize = version->CodeSize;
    return out;
}

static void describe(struct call *call, const struct layer_name *layer,
                     const struct store_LayerVersion *version,
                     struct lambda_GetLayerVersionResponse *out)
{
    const struct layer_name whole = {layer->account, layer->region, layer->name, 0};
    *out = (struct lambda_GetLayerVersionResponse){
        .Content = content(call, version),
        .LayerArn = layer_arn(call, &whole),
        .LayerVersionArn = layer_arn(call, layer),
        .Description = version->Description,
        .CreatedDate = version->CreatedDate,
        .Version = version->Version,
        .CompatibleArchitectures = version->CompatibleArchitectures,
        .CompatibleRuntimes = version->CompatibleRuntimes,
        .LicenseInfo = version->LicenseInfo};
}

static void answer_version(struct call *call, struct slice name, struct opt_i64 number)
{
    struct layer_name layer;
    struct lambda_GetLayerVersionResponse answer;
    const struct store_LayerVersion *version = find(call, name, number, &layer);
    if (!version)
        return;
    describe(call, &layer, version, &answer);
    call_ok(call, 0, &answer);
}

void api_get_layer(struct call *call)
{
    const struct lambda_GetLayerVersionRequest *input = call->input;
    answer_version(call, input->LayerName, input->VersionNumber);
}

void api_get_layer_by_arn(struct call *call)
{
    const struct lambda_GetLayerVersionByArnRequest *input = call->input;
    answer_version(call, input->Arn, (struct opt_i64){false, 0});
}

static bool contains(const struct aws_list *list, struct slice wanted)
{
    for (size_t i = 0; i < list->n; i++) {
        if (slice_eq(*AWS_ITEM(*list, struct slice, i), wanted))
            return true;
    }
    return !wanted.p;
}

static bool matches(const struct store_LayerVersion *version, struct slice runtime,
                    struct slice architecture)
{
    return contains(&version->CompatibleRuntimes, runtime) &&
           contains(&version->CompatibleArchitectures, architecture);
}

static struct lambda_LayerVersionsListItem *list_item(struct call *call,
                                                      const struct layer_name *layer,
                                                      const struct store_LayerVersion *version)
{
    struct lambda_LayerVersionsListItem *item =
        ARENA_NEW(call->arena, lambda_LayerVersionsListItem);
    struct layer_name one = *layer;
    one.version = version->Version.v;
    *item = (struct lambda_LayerVersionsListItem){.LayerVersionArn = layer_arn(call, &one),
                                                  .Version = version->Version,
                                                  .Description = version->Description,
                                                  .CreatedDate = version->CreatedDate,
                                                  .CompatibleArchitectures =
                                                      version->CompatibleArchitectures,
                                                  .CompatibleRuntimes = version->CompatibleRuntimes,
                                                  .LicenseInfo = version->LicenseInfo};
    return item;
}

/* Of one layer, the newest first; unknown layers have none (fact 95). */
static size_t versions_of(const struct call *call, const struct layer_name *layer,
                          const struct table_row **out)
{
    const struct table_row *rows = NULL;
    struct slice prefix = arena_printf(call->arena, "%.*s ", FMT(layer_key(call, layer)));
    size_t n = table_list(api_resources(call)->layer_versions, call->arena, prefix, &rows);
    struct table_row *turned = arena_array(call->arena, n + 1, sizeof *turned);
    for (size_t i = 0; i < n; i++)
        turned[i] = rows[n - 1 - i];
    *out = turned;
    return n;
}

void api_list_layer_versions(struct call *call)
{
    const struct lambda_ListLayerVersionsRequest *input = call->input;
    const struct table_row *rows = NULL;
    struct layer_name layer;
    int64_t below = INT64_MAX;
    if (!layer_parse(call, input->LayerName, &layer)) {
        call_fail(call, "ValidationException", "Invalid layer name: %.*s", FMT(input->LayerName));
        return;
    }
    layer.version = 0;
    if (!layer_is_own(call, &layer))
        return;
    if (input->Marker.n && !slice_i64(input->Marker, &below)) {
        call_fail(call, "InvalidParameterValueException", "Invalid marker: %.*s",
                  FMT(input->Marker));
        return;
    }
    size_t n = versions_of(call, &layer, &rows);
    size_t max = api_limit(input->MaxItems, API_PAGE_MAX);
    struct lambda_LayerVersionsListItem **items = arena_array(call->arena, max, sizeof *items);
    struct lambda_ListLayerVersionsResponse answer = {.LayerVersions = {true, 0, items}};
    for (size_t i = 0; i < n; i++) {
        const struct store_LayerVersion *version = rows[i].value;
        if (version->Version.v >= below ||
            !matches(version, input->CompatibleRuntime, input->CompatibleArchitecture))
            continue;
        if (answer.LayerVersions.n == max) {
            answer.NextMarker = arena_printf(call->arena, "%" PRId64, items[max - 1]->Version.v);
            break;
        }
        items[answer.LayerVersions.n++] = list_item(call, &layer, version);
    }
    call_ok(call, 0, &answer);
}

static const struct store_LayerVersion *latest_match(const struct call *call,
                                                     const struct layer_name *layer,
                                                     const struct lambda_ListLayersRequest *input)
{
    const struct table_row *rows = NULL;
    size_t n = versions_of(call, layer, &rows);
    for (size_t i = 0; i < n; i++) {
        if (matches(rows[i].value, input->CompatibleRuntime, input->CompatibleArchitecture))
            return rows[i].value;
    }
    return NULL;
}

void api_list_layers(struct call *call)
{
    const struct lambda_ListLayersRequest *input = call->input;
    const struct table_row *rows = NULL;
    struct slice prefix =
        arena_printf(call->arena, "%.*s %.*s ", FMT(call->account), FMT(call->region));
    struct slice after =
        input->Marker.n ? arena_printf(call->arena, "%.*s%.*s", FMT(prefix), FMT(input->Marker))
                        : input->Marker;
    size_t n =
        table_page(api_resources(call)->layers, call->arena, prefix, after, SIZE_MAX - 1, &rows);
    size_t max = api_limit(input->MaxItems, API_PAGE_MAX);
    struct lambda_LayersListItem *items = arena_array(call->arena, max, sizeof *items);
    struct lambda_ListLayersResponse answer = {.NextMarker = {NULL, 0}};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct layer_name layer = {call->account, call->region,
                                         slice_sub(rows[i].key, prefix.n, rows[i].key.n), 0};
        const struct store_LayerVersion *version = latest_match(call, &layer, input);
        if (!version)
            continue;
        if (count == max) {
            answer.NextMarker = items[max - 1].LayerName;
            break;
        }
        items[count++] = (struct lambda_LayersListItem){layer.name, layer_arn(call, &layer),
                                                        list_item(call, &layer, version)};
    }
    answer.Layers = aws_list_of(call->arena, items, count, sizeof *items);
    call_ok(call, 0, &answer);
}

struct removal { /* in the call's arena */
    struct call *call;
    const char *digest;
};

/* Functions that have the layer keep uses of their own. */
static void on_deleted(void *arg, const struct err *err)
{
    const struct removal *removal = arg;
    const struct api_context *api = removal->call->context;
    if (!err)
        code_release(functions_codes(api->functions), removal->digest);
    if (err)
        api_store_failed(removal->call, err);
    else
        call_ok(removal->call, 204, NULL);
}

void api_delete_layer(struct call *call)
{
    const struct lambda_DeleteLayerVersionRequest *input = call->input;
    struct layer_name layer;
    if (!layer_parse(call, input->LayerName, &layer)) {
        call_fail(call, "ValidationException", "Invalid layer name: %.*s", FMT(input->LayerName));
        return;
    }
    layer.version = input->VersionNumber.v;
    if (!layer_is_own(call, &layer))
        return;
    if (layer.version < 1) {
        call_fail(call, "InvalidParameterValueException", "Layer Version Cannot be less than 1");
        return;
    }
    const struct store_LayerVersion *version = layer_find(api_resources(call), call, &layer);
    if (!version) {
        call_ok(call, 204, NULL);
        return;
    }
    struct removal *removal = ARENA_NEW(call->arena, removal);
    *removal = (struct removal){call, arena_str(call->arena, version->Code)};
    struct table_write *write = api_write(call);
    table_delete(write, api_resources(call)->layer_versions, layer_key(call, &layer));
    table_delete(write, api_resources(call)->layer_policies, layer_key(call, &layer));
    if (count_versions(call, &layer) == 1) {
        const struct layer_name whole = {layer.account, layer.region, layer.name, 0};
        table_delete(write, api_resources(call)->tags, layer_arn(call, &whole));
    }
    table_commit(write, on_deleted, removal);
}

/* ---- publishing ---- */

struct publishing { /* in the call's arena */
    uint32_t magic;
    struct call *call;
    struct api_context *api;
    struct layer_name layer;
    char digest[BLOB_DIGEST_LEN + 1];
    struct lambda_PublishLayerVersionResponse answer;
};

static void on_saved(void *arg, const struct err *err)
{
    struct publishing *publishing = CAST(publishing, arg, PUBLISHING_MAGIC);
    struct codes *codes = functions_codes(publishing->api->functions);
    struct call *call = publishing->call;
    char digest[BLOB_DIGEST_LEN + 1];
    memcpy(digest, publishing->digest, sizeof digest);
    if (err)
        api_store_failed(call, err);
    else
        call_ok(call, 0, &publishing->answer);
    if (err)
        code_release(codes, digest); /* else the layer version keeps this use */
}

static struct store_LayerVersion *new_version(struct call *call, const char *digest)
{
    const struct lambda_PublishLayerVersionRequest *input = call->input;
    struct store_LayerVersion *version = ARENA_NEW(call->arena, store_LayerVersion);
    struct lambda_FunctionConfiguration code = {.CodeSize = {false, 0}};
    config_set_code(call->arena, &code, digest, input->Content->ZipFile.n);
    *version = (struct store_LayerVersion){
        .Description = input->Description.p ? input->Description : S(""),
        .CreatedDate = stamp_now(call->arena),
        .LicenseInfo = input->LicenseInfo,
        .CompatibleRuntimes = input->CompatibleRuntimes,
        .CompatibleArchitectures = input->CompatibleArchitectures,
        .Code = arena_dup(call->arena, slice_str(digest)),
        .CodeSize = code.CodeSize,
        .CodeSha256 = code.CodeSha256};
    return version;
}

static void on_uploaded(void *arg, const char *digest, const struct err *err)
{
    struct publishing *publishing = CAST(publishing, arg, PUBLISHING_MAGIC);
    struct call *call = publishing->call;
    struct layer_name *layer = &publishing->layer;
    if (err) {
        api_upload_failed(call, err);
        return;
    }
    memcpy(publishing->digest, digest, sizeof publishing->digest);
    const struct resources *resources = api_resources(call);
    const struct store_Counter *last = table_get(resources->layers, layer_key(call, layer));
    const struct store_Counter counter = {OPT_I64((last ? last->Last.v : 0) + 1)};
    struct store_LayerVersion *version = new_version(call, digest);
    struct table_write *write = api_write(call);
    table_put(write, resources->layers, layer_key(call, layer), &counter);
    version->Version = counter.Last;
    layer->version = counter.Last.v;
    table_put(write, resources->layer_versions, layer_key(call, layer), version);
    struct lambda_GetLayerVersionResponse shown;
    describe(call, layer, version, &shown);
    publishing->answer = (struct lambda_PublishLayerVersionResponse){
        shown.Content,     shown.LayerArn, shown.LayerVersionArn,         shown.Description,
        shown.CreatedDate, shown.Version,  shown.CompatibleArchitectures, shown.CompatibleRuntimes,
        shown.LicenseInfo};
    table_commit(write, on_saved, publishing);
}

void api_publish_layer(struct call *call)
{
    const struct lambda_PublishLayerVersionRequest *input = call->input;
    struct aws_fault fault;
    struct publishing *publishing = ARENA_NEW(call->arena, publishing);
    publishing->magic = PUBLISHING_MAGIC;
    publishing->call = call;
    publishing->api = call->context;
    if (!layer_parse(call, input->LayerName, &publishing->layer)) {
        call_fail(call, "ValidationException", "Invalid layer name: %.*s", FMT(input->LayerName));
        return;
    }
    publishing->layer.version = 0;
    if (!layer_is_own(call, &publishing->layer))
        return;
    if (input->Content->S3Bucket.p || input->Content->S3Key.p) {
        api_not_built(call, "code from S3 (use Content.ZipFile)");
        return;
    }
    if (!input->Content->ZipFile.p) {
        call_fail(call, "InvalidParameterValueException",
                  "Please provide a source for layer content.");
        return;
    }
    if (!check_zip_size(call->arena, input->Content->ZipFile, &fault)) {
        api_fault(call, &fault);
        return;
    }
    api_upload(call, input->Content->ZipFile, on_uploaded, publishing);
}
