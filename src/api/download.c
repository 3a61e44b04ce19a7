/* Code.Location: GET /_lambkin/code/<digest>?Expires=<Unix seconds>&Signature=<hex>, signed with a
 * key of this life of the daemon, valid for ten minutes as AWS's are. */
#include "api/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define CODE_PATH "/_lambkin/code/"

enum { URL_LIFE_S = 600, KEY_LEN = 32, SIGNATURE_LEN = 64 };

static const unsigned char *url_key(void)
{
    static unsigned char key[KEY_LEN];
    static bool made;
    if (!made)
        id_random(key, sizeof key);
    made = true;
    return key;
}

static void sign(struct slice digest, struct slice expires, char out[SIGNATURE_LEN + 1])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[BLOB_DIGEST_LEN + 32];
    int length = snprintf(text, sizeof text, "%.*s %.*s", FMT(digest), FMT(expires));
    must(length > 0 && (size_t)length < sizeof text);
    must(HMAC(EVP_sha256(), url_key(), KEY_LEN, (const unsigned char *)text, (size_t)length, hash,
              &n) != NULL &&
         n * 2 == SIGNATURE_LEN);
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* What the caller calls us, as it may reach us through a name or a forwarded port. Only what looks
 * like host[:port] goes into the link. */
static struct slice host_of(const struct call *call)
{
    struct slice host = {NULL, 0};
    if (call->http)
        host = http_header_get(call->http, S("Host"));
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    memchr("-._:[]", c, 6);
        if (!fine)
            return S("localhost");
    }
    return host.n ? host : S("localhost");
}

struct slice api_code_url(struct call *call, struct slice digest)
{
    char signature[SIGNATURE_LEN + 1];
    struct slice host = host_of(call);
    uint64_t until = clock_wall_ms() / 1000 + URL_LIFE_S;
    struct slice expires = arena_printf(call->arena, "%" PRIu64, until);
    sign(digest, expires, signature);
    return arena_printf(call->arena, "http://%.*s" CODE_PATH "%.*s?Expires=%.*s&Signature=%s",
                        FMT(host), FMT(digest), FMT(expires), signature);
}

static bool is_signed(struct call *call, struct slice digest)
{
    char good[SIGNATURE_LEN + 1];
    uint64_t until = 0;
    struct slice expires = http_query_get(call->http, S("Expires"));
    struct slice signature = http_query_get(call->http, S("Signature"));
    if (!blob_is_digest(digest) || expires.n > 20 || !slice_u64(expires, &until) ||
        until < clock_wall_ms() / 1000 || signature.n != SIGNATURE_LEN)
        return false;
    sign(digest, expires, good);
    return CRYPTO_memcmp(good, signature.p, SIGNATURE_LEN) == 0;
}

static void on_download(struct call *call)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/zip")}};
    const struct api_context *api = call->context;
    struct err err;
    uint64_t size = 0;
    struct slice path = call->http->path;
    struct slice digest = slice_sub(path, sizeof CODE_PATH - 1, path.n);
    if (!is_signed(call, digest)) {
        call_fail(call, "AccessDeniedException",
                  "This link to a function's code is not valid, or not any more: ask GetFunction "
                  "for another one.");
        return;
    }
    int fd = blob_open(api->blobs, arena_str(call->arena, digest), &size, &err);
    if (fd < 0) {
        call_fail(call, "ResourceNotFoundException", "This code does not exist any more.");
        return;
    }
    call_file(call, headers, COUNT_OF(headers), &(struct http_file){fd, size});
}

void api_register_download(struct front *front, struct api_context *api)
{
    front_handle_path(front, "GET", CODE_PATH, on_download, api);
}
