/* The groups that the log store knows: all that exist, and those that somebody holds. */
#include "base/mem.h"
#include "store/log_queue.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

enum { GROUP_PATH_MAX = 3 * LOG_FILE_NAME_MAX };

void log_path(char path[GROUP_PATH_MAX], const struct log_where *where)
{
    char parts[3][LOG_FILE_NAME_MAX] = {"", "", ""};
    log_file_name(where->account, parts[0]);
    log_file_name(where->region, parts[1]);
    if (where->group.p)
        log_file_name(where->group, parts[2]);
    snprintf(path, GROUP_PATH_MAX, "%s/%s/%s", parts[0], parts[1], parts[2]);
}

static struct log_entry *entry_add(struct log_store *store, struct log_group *group)
{
    struct log_entry *entry = NEW(log_entry);
    entry->path = mem_str(slice_str(group->path));
    entry->group = group;
    list_init(&entry->open);
    map_put(store->entries, slice_str(entry->path), entry);
    return entry;
}

struct log_entry *log_entry_hold(struct log_store *store, const struct log_where *where)
{
    char path[GROUP_PATH_MAX];
    log_path(path, where);
    struct log_entry *entry = map_get(store->entries, slice_str(path));
    if (!entry)
        entry = entry_add(store, log_group_new(store->root, path, where->group, &store->limits));
    entry->refs++;
    return entry;
}

static void entry_free(struct log_entry *entry)
{
    log_group_free(entry->group);
    free(entry->path);
    free(entry);
}

/* One that exists stays for whoever lists. One that does not has no open files, so the worker does
 * not know it. */
void log_entry_release(struct log_store *store, struct log_entry *entry)
{
    must(entry->refs > 0);
    if (--entry->refs || log_group_exists(entry->group))
        return;
    must(list_empty(&entry->open));
    map_remove(store->entries, slice_str(entry->path));
    entry_free(entry);
}

struct log_visit log_visit_begin(struct log_store *store, struct slice prefix)
{
    struct log_visit visit = {mem_new_array(map_count(store->entries) + 1, sizeof(void *)), 0};
    size_t at = 0;
    void *value = NULL;
    while (map_next(store->entries, &at, &value)) {
        struct log_entry *entry = value;
        if (!slice_starts(slice_str(entry->path), prefix))
            continue;
        entry->refs++;
        visit.entries[visit.n++] = entry;
    }
    return visit;
}

void log_visit_end(struct log_store *store, struct log_visit *visit)
{
    for (size_t i = 0; i < visit->n; i++)
        log_entry_release(store, visit->entries[i]);
    free(visit->entries);
    *visit = (struct log_visit){NULL, 0};
}

/* ---- all of them ---- */

/* depth: of folders above the groups. */
static void find_groups(struct log_store *store, struct slice path, unsigned depth)
{
    char below[GROUP_PATH_MAX + 1];
    snprintf(below, sizeof below, "%.*s", FMT(path));
    int fd =
        openat(store->root, path.n ? below : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= LOG_FILE_NAME_MAX)
            continue;
        int n =
            snprintf(below, sizeof below, "%.*s%s%s", FMT(path), path.n ? "/" : "", entry->d_name);
        if (n < 0 || n >= GROUP_PATH_MAX)
            continue;
        if (depth) {
            AUTO(free) char *next = mem_str((struct slice){below, (size_t)n});
            find_groups(store, slice_str(next), depth - 1);
            continue;
        }
        struct log_group *group = log_group_found(store->root, below, &store->limits);
        if (group)
            entry_add(store, group);
    }
    if (dir)
        closedir(dir);
}

void log_entries_find(struct log_store *store)
{
    find_groups(store, S(""), 2);
}

void log_entries_free(struct log_store *store)
{
    size_t at = 0;
    void *value = NULL;
    while (map_next(store->entries, &at, &value))
        entry_free(value);
    map_free(store->entries);
}
