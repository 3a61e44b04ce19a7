#include "codec/unzip.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <sys/stat.h>

struct planner {
    struct arena *arena;
    struct map *paths; /* path -> struct unzip_item */
    struct unzip_item **order;
    size_t count;
    size_t room;
    uint64_t total;
};

static bool bad(struct err *err, const char *why, struct slice name)
{
    return err_set(err, FAULT_INVALID, "%s: %.*s", why, (int)(name.n < 150 ? name.n : 150),
                   name.p ? name.p : "");
}

/* ---- names ---- */

static bool is_utf8(struct slice s)
{
    while (s.n) {
        size_t length = slice_utf8(s);
        if (!length)
            return false;
        s = slice_sub(s, length, s.n);
    }
    return true;
}

/* "./a/b/" -> "a/b"; false if the name leads elsewhere or nowhere. */
static bool clean_path(struct arena *arena, struct slice name, struct slice *out, struct err *err)
{
    if (name.n == 0 || name.n > UNZIP_PATH_MAX || !is_utf8(name) ||
        slice_find(name, '\0') != SIZE_MAX)
        return bad(err, "name of an entry", name);
    if (name.p[0] == '/' || slice_find(name, '\\') != SIZE_MAX)
        return bad(err, "absolute path or backslash", name);
    char *path = arena_alloc(arena, name.n + 1);
    size_t n = 0;
    size_t depth = 0;
    struct slice rest = name;
    struct slice part;
    while (slice_cut(&rest, '/', &part)) {
        if (slice_eq(part, S(".")) || (part.n == 0 && rest.p == NULL))
            continue; /* the latter: behind the trailing '/' */
        if (part.n == 0 || part.n > UNZIP_PART_MAX || slice_eq(part, S("..")) ||
            ++depth > UNZIP_DEPTH_MAX)
            return bad(err, "path that leaves the folder or is too deep", name);
        if (n)
            path[n++] = '/';
        memcpy(path + n, part.p, part.n);
        n += part.n;
    }
    *out = (struct slice){path, n};
    return true;
}

bool unzip_link_is_inside(struct slice path, struct slice target)
{
    size_t depth = 0;
    bool named = false;
    struct slice part;
    if (target.n == 0 || target.n > UNZIP_PATH_MAX || target.p[0] == '/' ||
        slice_find(target, '\0') != SIZE_MAX || slice_find(target, '\\') != SIZE_MAX)
        return false;
    for (size_t i = 0; i < path.n; i++)
        depth += path.p[i] == '/';
    while (slice_cut(&target, '/', &part)) {
        if (part.n == 0 || slice_eq(part, S(".")))
            continue;
        if (!slice_eq(part, S(".."))) {
            named = true;
            continue;
        }
        /* Behind a name ".." means what that name turns out to be, and it may be a link. */
        if (named || depth == 0)
            return false;
        depth--;
    }
    return true;
}

/* ---- items ---- */

static struct unzip_item *add_item(struct planner *p, struct slice path, enum unzip_kind kind)
{
    struct unzip_item *item = ARENA_NEW(p->arena, unzip_item);
    *item = (struct unzip_item){.path = path, .kind = kind, .mode = 0755, .entry = SIZE_MAX};
    map_put(p->paths, item->path, item);
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->order = mem_grow(p->order, p->room * sizeof(struct unzip_item *));
    }
    p->order[p->count++] = item;
    return item;
}

static bool add_parents(struct planner *p, struct slice path, struct err *err)
{
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] != '/')
            continue;
        struct slice parent = {path.p, i};
        const struct unzip_item *there = map_get(p->paths, parent);
        if (there && there->kind != UNZIP_DIR)
            return bad(err, "file that is also a folder", parent);
        if (!there)
            add_item(p, parent, UNZIP_DIR);
    }
    return true;
}

static bool kind_of(const struct unzip_entry *entry, enum unzip_kind *out, struct err *err)
{
    bool slash = slice_ends(entry->name, S("/"));
    unsigned type = entry->mode & S_IFMT;
    if (entry->encrypted)
        return bad(err, "encrypted entry", entry->name);
    if (type == S_IFLNK && !slash)
        *out = UNZIP_LINK;
    else if ((type == S_IFDIR || (slash && type == 0)) && entry->size == 0)
        *out = UNZIP_DIR;
    else if ((type == S_IFREG || type == 0) && !slash)
        *out = UNZIP_FILE;
    else
        return bad(err, "neither file, folder nor link", entry->name);
    return true;
}

static bool plan_entry(struct planner *p, const struct unzip_entry *entry, size_t index,
                       struct err *err)
{
    enum unzip_kind kind = UNZIP_FILE;
    struct slice path = {NULL, 0};
    if (!clean_path(p->arena, entry->name, &path, err) || !kind_of(entry, &kind, err))
        return false;
    if (__builtin_add_overflow(p->total, entry->size, &p->total) ||
        p->total >= UNZIP_UNPACKED_LIMIT)
        return err_set(err, FAULT_LIMIT, "%u bytes or more unzipped",
                       (unsigned)UNZIP_UNPACKED_LIMIT);
    if (path.n == 0) /* "./", the folder itself */
        return kind == UNZIP_DIR || bad(err, "name of an entry", entry->name);
    if (!add_parents(p, path, err))
        return false;
    struct unzip_item *item = map_get(p->paths, path);
    if (item && (kind != UNZIP_DIR || item->kind != UNZIP_DIR))
        return bad(err, "name that comes twice", entry->name);
    if (!item)
        item = add_item(p, path, kind);
    item->entry = index;
    item->mtime = entry->mtime;
    if (kind == UNZIP_FILE)
        item->mode = entry->mode ? entry->mode & 0755 : 0644;
    return true;
}

bool unzip_make_plan(struct arena *arena, const struct unzip_entry *entries, size_t count,
                     struct unzip_plan *out, struct err *err)
{
    struct planner p = {.arena = arena, .paths = map_new()};
    bool ok = (count > 0 && count <= UNZIP_ENTRIES_MAX) ||
              err_set(err, FAULT_INVALID, "%zu entries", count);
    for (size_t i = 0; ok && i < count; i++)
        ok = plan_entry(&p, &entries[i], i, err);
    if (ok) {
        out->items = arena_array(arena, p.count, sizeof *out->items);
        out->count = p.count;
        for (size_t i = 0; i < p.count; i++)
            out->items[i] = *p.order[i];
    }
    free(p.order);
    map_free(p.paths);
    return ok;
}
