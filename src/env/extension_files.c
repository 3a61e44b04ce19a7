#include "env/extension_files.h"

#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What one name in the folder is in the topmost layer that has it. */
struct seen {
    char name[LAUNCH_FILE_MAX + 1];
    bool folder;
};

enum { SEEN_MAX = 1024 };

struct search {
    struct seen *seen;
    size_t n;
};

static bool is_seen(const struct search *search, const char *name)
{
    for (size_t i = 0; i < search->n; i++) {
        if (!strcmp(search->seen[i].name, name))
            return true;
    }
    return false;
}

static void look_at(struct search *search, int folder, const char *name)
{
    struct stat st;
    if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
        return;
    if (strlen(name) > LAUNCH_FILE_MAX || search->n == SEEN_MAX || is_seen(search, name) ||
        fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
        return;
    struct seen *one = &search->seen[search->n++];
    snprintf(one->name, sizeof one->name, "%s", name);
    one->folder = S_ISDIR(st.st_mode);
}

/* False: what is called extensions there is no folder and hides those below. */
static bool look_into(struct search *search, const char *data_dir, const char *layer)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/code/%s/extensions", data_dir, layer);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return true;
    }
    for (const struct dirent *entry; (entry = readdir(folder));)
        look_at(search, fd, entry->d_name);
    closedir(folder);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct seen *x = a;
    const struct seen *y = b;
    return strcmp(x->name, y->name);
}

struct extension_files *extension_files_find(const char *data_dir, const struct sandbox_spec *spec)
{
    if (!data_dir || !spec->layer_count)
        return NULL;
    AUTO(free) struct seen *seen = mem_new_array(SEEN_MAX, sizeof *seen);
    AUTO(free) struct extension_files *files = NEW(extension_files);
    struct search search = {.seen = seen};
    for (uint32_t i = spec->layer_count; i > 0; i--) {
        if (!look_into(&search, data_dir, spec->layers[i - 1]))
            break;
    }
    qsort(seen, search.n, sizeof *seen, by_name);
    for (size_t i = 0; i < search.n && files->n < EXTENSION_FILES_MAX; i++) {
        if (!seen[i].folder)
            memcpy(files->names[files->n++], seen[i].name, sizeof seen[i].name);
    }
    return files->n ? STEAL(files) : NULL;
}
