/* What a function's code and its layers take unpacked, together. */
#include "api/internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "model/code.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum {
    UNPACKED_MAX = 262144000, /* AWS: code and layers */
    DEPTH_MAX = 64,           /* lambkin-unpack makes no deeper trees */
};

/* Bytes of the files in it. The folder becomes ours to close. */
static uint64_t tree_bytes(int folder, unsigned depth)
{
    DIR *dir = folder >= 0 ? fdopendir(folder) : NULL;
    uint64_t bytes = 0;
    struct stat st;
    if (!dir && folder >= 0)
        close(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
        else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            bytes += tree_bytes(
                openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                depth + 1);
    }
    if (dir)
        closedir(dir);
    return bytes;
}

/* Looked at once a run, and only for functions with layers. */
static uint64_t unpacked_bytes(const struct api_context *api, struct arena *arena,
                               struct slice digest)
{
    const char *name = arena_str(arena, digest);
    struct codes *codes = functions_codes(api->functions);
    uint64_t bytes = code_unpacked_bytes(codes, name);
    if (bytes || !api->data_dir)
        return bytes;
    const char *path = arena_printf(arena, "%s/code/%s", api->data_dir, name).p;
    bytes = tree_bytes(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0);
    code_set_unpacked_bytes(codes, name, bytes);
    return bytes;
}

bool api_sizes_fit(struct call *call, struct slice made_of)
{
    const struct api_context *api = call->context;
    struct slice code;
    struct slice digest;
    slice_cut(&made_of, ' ', &code);
    if (!made_of.n)
        return true; /* no layers: the zip alone was bounded when it was unpacked */
    uint64_t layers = 0;
    while (slice_cut(&made_of, ' ', &digest))
        layers += unpacked_bytes(api, call->arena, digest);
    uint64_t all = layers + unpacked_bytes(api, call->arena, code);
    if (layers > UNPACKED_MAX)
        call_fail(call, "InvalidParameterValueException",
                  "Layers consume more than the available size of %d bytes", UNPACKED_MAX);
    else if (all > UNPACKED_MAX)
        call_fail(call, "InvalidParameterValueException",
                  "Function code combined with layers exceeds the maximum allowed size of %d "
                  "bytes. The actual size is %llu bytes.",
                  UNPACKED_MAX, (unsigned long long)all);
    return all <= UNPACKED_MAX;
}
