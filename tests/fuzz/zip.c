/* Whatever a zip says, a plan stays inside the folder, names nothing twice, has each folder before
 * its contents, and no entry gives more than it announced. */
#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/unzip.h"

struct count {
    uint64_t bytes;
    uint64_t sum; /* every byte of the result is read */
};

static bool count_piece(void *arg, struct slice piece, struct err *err)
{
    struct count *count = arg;
    count->bytes += piece.n;
    for (size_t i = 0; i < piece.n; i++)
        count->sum += (unsigned char)piece.p[i];
    return count->bytes < (1 << 22) || err_set(err, FAULT_LIMIT, "enough");
}

static void check_path(struct slice path)
{
    size_t depth = 0;
    struct slice rest = path;
    struct slice part;
    must(path.n > 0 && path.n <= UNZIP_PATH_MAX && path.p[0] != '/');
    must(slice_find(path, '\0') == SIZE_MAX && slice_find(path, '\\') == SIZE_MAX);
    while (slice_cut(&rest, '/', &part)) {
        must(part.n > 0 && part.n <= UNZIP_PART_MAX);
        must(!slice_eq(part, S(".")) && !slice_eq(part, S("..")));
        depth++;
    }
    must(depth <= UNZIP_DEPTH_MAX);
}

static void check_plan(const struct unzip_plan *plan, size_t entries)
{
    struct map *seen = map_new();
    for (size_t i = 0; i < plan->count; i++) {
        struct unzip_item *item = &plan->items[i];
        check_path(item->path);
        must(map_put(seen, item->path, item) == NULL);
        must((item->mode & ~0755U) == 0);
        must(item->entry == SIZE_MAX ? item->kind == UNZIP_DIR : item->entry < entries);
        size_t slash = slice_rfind(item->path, '/');
        if (slash != SIZE_MAX) {
            const struct unzip_item *parent = map_get(seen, slice_sub(item->path, 0, slash));
            must(parent && parent->kind == UNZIP_DIR);
        }
    }
    map_free(seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct unzip_plan plan;
    struct unzip_entry *entries = NULL;
    size_t n = 0;
    struct unzip_reader *reader = unzip_reader_open((struct slice){(const char *)data, size}, &err);
    if (!reader)
        return 0;
    AUTO(arena) struct arena *arena = arena_new();
    if (unzip_reader_list(reader, arena, &entries, &n, &err) &&
        unzip_make_plan(arena, entries, n, &plan, &err)) {
        check_plan(&plan, n);
        for (size_t i = 0; i < n && i < 8; i++) {
            struct count count = {0, 0};
            if (unzip_reader_extract(reader, i, count_piece, &count, &err))
                must(count.bytes == entries[i].size);
        }
    }
    unzip_reader_close(reader);
    return 0;
}
