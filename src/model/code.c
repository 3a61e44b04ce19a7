#include "model/code.h"

#include "base/map.h"
#include "base/mem.h"
#include "model/function.h"

struct codes {
    struct map *packages;
    code_unused *unused; /* NULL: nobody wants to know */
    void *arg;
    bool closed;
};

struct package {
    char digest[FUNCTION_DIGEST_LEN + 1];
    size_t uses;
    bool unpacked;
    uint64_t unpacked_bytes;
};

struct codes *codes_new(void)
{
    struct codes *codes = NEW(codes);
    codes->packages = map_new();
    return codes;
}

static void free_if_over(struct codes *codes)
{
    if (!codes->closed || map_count(codes->packages))
        return;
    map_free(codes->packages);
    free(codes);
}

void codes_close(struct codes *codes)
{
    codes->closed = true;
    codes->unused = NULL;
    free_if_over(codes);
}

void codes_on_unused(struct codes *codes, code_unused *unused, void *arg)
{
    codes->unused = unused;
    codes->arg = arg;
}

static struct package *find(const struct codes *codes, const char *digest)
{
    return map_get(codes->packages, slice_str(digest));
}

void code_use(struct codes *codes, const char *digest)
{
    struct package *package = find(codes, digest);
    if (!package) {
        package = NEW(package);
        must(strlen(digest) == FUNCTION_DIGEST_LEN);
        memcpy(package->digest, digest, sizeof package->digest);
        map_put(codes->packages, slice_str(package->digest), package);
    }
    package->uses++;
}

void code_release(struct codes *codes, const char *digest)
{
    struct package *package = find(codes, digest);
    must(package && package->uses > 0);
    if (--package->uses)
        return;
    map_remove(codes->packages, slice_str(package->digest));
    if (codes->unused)
        codes->unused(codes->arg, package->digest);
    free(package);
    free_if_over(codes);
}

bool code_in_use(const struct codes *codes, const char *digest)
{
    return find(codes, digest) != NULL;
}

bool code_is_unpacked(const struct codes *codes, const char *digest)
{
    const struct package *package = find(codes, digest);
    return package && package->unpacked;
}

void code_set_unpacked(struct codes *codes, const char *digest)
{
    struct package *package = find(codes, digest);
    must(package != NULL);
    package->unpacked = true;
}

uint64_t code_unpacked_bytes(const struct codes *codes, const char *digest)
{
    const struct package *package = find(codes, digest);
    return package ? package->unpacked_bytes : 0;
}

void code_set_unpacked_bytes(struct codes *codes, const char *digest, uint64_t bytes)
{
    struct package *package = find(codes, digest);
    if (package)
        package->unpacked_bytes = bytes;
}
