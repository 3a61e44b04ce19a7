#include "api/internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "env/pool.h"
#include "model/code.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

/* written --> used (noted) --> unpacked, unless it is already --> kept --> done
 *                 \______________failed: released, dropped_______________/
 * The blob gets its name last: what cannot be unpacked never exists. */

enum { UPLOAD_MAGIC = 0x75706c64, REPAIR_MAGIC = 0x72657061 };

struct upload {
    uint32_t magic;
    struct api_context *api;
    struct blob_put *put;
    struct slice account; /* the caller's */
    char digest[BLOB_DIGEST_LEN + 1];
    api_uploaded *done;
    void *arg;
};

static struct codes *codes_of(const struct api_context *api)
{
    return functions_codes(api->functions);
}

static void fail(struct upload *upload, const struct err *err)
{
    struct err why = *err;
    blob_drop(STEAL(upload->put));
    code_release(codes_of(upload->api), upload->digest);
    upload->done(upload->arg, NULL, &why);
    free(upload);
}

static void on_kept(void *arg, const struct err *err)
{
    struct upload *upload = CAST(upload, arg, UPLOAD_MAGIC);
    if (err) {
        fail(upload, err);
        return;
    }
    upload->done(upload->arg, upload->digest, NULL);
    free(upload);
}

static void on_unpacked(void *arg, const struct err *err)
{
    struct upload *upload = CAST(upload, arg, UPLOAD_MAGIC);
    if (err) {
        fail(upload, err);
        return;
    }
    code_set_unpacked(codes_of(upload->api), upload->digest);
    blob_keep(STEAL(upload->put), on_kept, upload);
}

static void on_written(void *arg, struct blob_put *put, const char *digest, const struct err *err)
{
    struct upload *upload = CAST(upload, arg, UPLOAD_MAGIC);
    struct codes *codes = codes_of(upload->api);
    if (err) {
        upload->done(upload->arg, NULL, err);
        free(upload);
        return;
    }
    upload->put = put;
    memcpy(upload->digest, digest, sizeof upload->digest);
    code_use(codes, digest);
    if (code_is_unpacked(codes, digest)) {
        blob_keep(STEAL(upload->put), on_kept, upload);
        return;
    }
    int fd = fcntl(blob_fd(put), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        struct err why;
        err_os(&why, errno, "hand the zip over");
        fail(upload, &why);
        return;
    }
    const struct pool_zip zip = {upload->account, upload->digest, fd};
    pool_unpack(upload->api->pool, &zip, on_unpacked, upload);
}

void api_upload(struct call *call, struct slice zip, api_uploaded *done, void *arg)
{
    struct api_context *api = call->context;
    struct upload *upload = NEW(upload);
    upload->magic = UPLOAD_MAGIC;
    upload->api = api;
    upload->account = call->account;
    upload->done = done;
    upload->arg = arg;
    blob_write(api->blobs, zip, on_written, upload);
}

void api_upload_failed(struct call *call, const struct err *err)
{
    struct slice why = slice_str(err->msg);
    struct slice words; /* Lambda's */
    slice_cut(&why, '\n', &words);
    call->warning = arena_dup(call->arena, why);
    if (err->fault == FAULT_INVALID || err->fault == FAULT_LIMIT)
        call_fail(call, "InvalidParameterValueException", "%.*s", FMT(words));
    else if (err->fault == FAULT_UNAVAILABLE)
        call_fail(call, "ServiceException", "The code could not be unpacked: %s", err->msg);
    else
        api_store_failed(call, err);
}

/* ---- start ---- */

struct repair {
    uint32_t magic;
    struct api_context *api;
    char digest[BLOB_DIGEST_LEN + 1];
};

static void on_repaired(void *arg, const struct err *err)
{
    struct repair *repair = CAST(repair, arg, REPAIR_MAGIC);
    if (err)
        log_error("code.repair", "digest=%s err=%s", repair->digest, err->msg);
    else
        code_set_unpacked(codes_of(repair->api), repair->digest);
    code_release(codes_of(repair->api), repair->digest);
    free(repair);
}

/* The tree is missing: a crash before it had its name, or somebody tidied up. */
static void unpack_again(struct api_context *api, const char *digest)
{
    struct err err;
    uint64_t size = 0;
    int fd = blob_open(api->blobs, digest, &size, &err);
    if (fd < 0) {
        log_error("code.missing", "digest=%s err=%s", digest, err.msg);
        return;
    }
    log_warn("code.repair", "digest=%s unpacking it again", digest);
    struct repair *repair = NEW(repair);
    repair->magic = REPAIR_MAGIC;
    repair->api = api;
    memcpy(repair->digest, digest, sizeof repair->digest);
    code_use(codes_of(api), digest);
    const struct pool_zip zip = {.digest = repair->digest, .fd = fd};
    pool_unpack(api->pool, &zip, on_repaired, repair);
}

static void on_unused(void *arg, const char *digest)
{
    struct api_context *api = arg;
    blob_forget(api->blobs, digest);
    pool_forget_code(api->pool, digest);
}

static bool is_used(void *arg, const char *digest)
{
    struct api_context *api = arg;
    return code_in_use(codes_of(api), digest);
}

struct trees {
    struct api_context *api;
    int fd;
};

static void check_tree(void *arg, const char *digest)
{
    const struct trees *trees = arg;
    struct api_context *api = trees->api;
    if (code_is_unpacked(codes_of(api), digest))
        return;
    if (faccessat(trees->fd, digest, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        code_set_unpacked(codes_of(api), digest);
    else
        unpack_again(api, digest);
}

static void forget_unused_trees(struct api_context *api, int trees)
{
    int fd = openat(trees, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (blob_is_digest(slice_str(entry->d_name)) && !code_in_use(codes_of(api), entry->d_name))
            pool_forget_code(api->pool, entry->d_name);
    }
    if (dir)
        closedir(dir);
}

/* A layer version is a use of its code, like a function's. */
static void each_layer_code(struct api_context *api, function_code *code, void *arg)
{
    AUTO(arena) struct arena *arena = arena_new();
    const struct table_row *rows = NULL;
    size_t n = table_list(functions_resources(api->functions)->layer_versions, arena, S(""), &rows);
    for (size_t i = 0; i < n; i++) {
        const struct store_LayerVersion *version = rows[i].value;
        code(arg, arena_str(arena, version->Code));
    }
}

static void use_code(void *arg, const char *digest)
{
    code_use(arg, digest);
}

void api_align_code(struct api_context *api)
{
    AUTO(buf) struct buf path = BUF_INIT(8192);
    each_layer_code(api, use_code, codes_of(api));
    codes_on_unused(codes_of(api), on_unused, api);
    blobs_sweep(api->blobs, is_used, api);
    buf_printf(&path, "%s/code", api->data_dir);
    buf_char(&path, '\0');
    AUTO(fd) int trees = open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (trees < 0) {
        log_warn("code.folder", "path=%s os=%d", path.p, errno);
        return;
    }
    forget_unused_trees(api, trees);
    struct trees each = {api, trees};
    functions_each_code(api->functions, check_tree, &each);
    each_layer_code(api, check_tree, &each);
}
