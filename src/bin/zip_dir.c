#include "bin/cli.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zip.h>

enum { ZIP_MAX = 52428800 }; /* AWS: 50 MB zipped in a request (controlplane.md fact 32) */

/* `lambkin deploy --help` and the man page name them. What a function can read on purpose, such as
 * .env or a module that is there as .pyc alone, is not among them. */
static const char *const left_out[] = {".git", ".svn", ".hg", "__pycache__", ".DS_Store", ".venv"};

static bool is_left_out(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(left_out); i++) {
        if (!strcmp(left_out[i], name))
            return true;
    }
    return false;
}

static bool add_entry(zip_t *zip, zip_source_t *source, const char *name, mode_t mode,
                      struct err *err)
{
    zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        return err_set(err, FAULT_INTERNAL, "%s: %s", name, zip_strerror(zip));
    }
    /* The same time in all: the same content gives the same zip. */
    zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 0x21, 0);
    zip_file_set_external_attributes(zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX,
                                     (zip_uint32_t)mode << 16);
    return true;
}

static bool add_tree(zip_t *zip, const char *dir, const char *prefix, struct err *err);

static bool add_one(zip_t *zip, const char *path, const char *name, struct err *err)
{
    struct stat st;
    char target[PATH_MAX];
    if (lstat(path, &st))
        return err_os(err, errno, "cannot read %s", path);
    if (S_ISDIR(st.st_mode))
        return add_tree(zip, path, name, err);
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(path, target, sizeof target);
        if (n < 0)
            return err_os(err, errno, "cannot read %s", path);
        char *copy = mem_str((struct slice){target, (size_t)n});
        return add_entry(zip, zip_source_buffer(zip, copy, (zip_uint64_t)n, 1), name,
                         S_IFLNK | 0777, err);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(err, FAULT_INVALID,
                       "%s is neither file nor folder: leave it out of the function", path);
    mode_t mode =
        S_IFREG | (st.st_mode & 0100 ? 0755 : 0644); /* readable for the function whoever zips */
    return add_entry(zip, zip_source_file(zip, path, 0, -1), name, mode, err);
}

static bool add_tree(zip_t *zip, const char *dir, const char *prefix, struct err *err)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, alphasort);
    bool ok = n >= 0 || err_os(err, errno, "cannot read %s", dir);
    for (int i = 0; i < n; i++) {
        const char *base = entries[i]->d_name;
        if (ok && strcmp(base, ".") && strcmp(base, "..") && !is_left_out(base)) {
            char path[PATH_MAX];
            char name[PATH_MAX];
            snprintf(path, sizeof path, "%.3000s/%s", dir, base);
            snprintf(name, sizeof name, "%.3000s%s%s", prefix, *prefix ? "/" : "", base);
            ok = add_one(zip, path, name, err);
        }
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool take_bytes(zip_source_t *source, struct buf *out, struct err *err)
{
    zip_stat_t st;
    if (zip_source_stat(source, &st) || zip_source_open(source))
        return err_set(err, FAULT_INTERNAL, "cannot read the zip back");
    buf_init(out, ZIP_MAX);
    char *to = st.size <= ZIP_MAX ? buf_reserve(out, (size_t)st.size) : NULL;
    bool ok = to && zip_source_read(source, to, st.size) == (zip_int64_t)st.size;
    zip_source_close(source);
    if (ok)
        out->n = (size_t)st.size;
    return ok || err_set(err, FAULT_LIMIT,
                         "the folder is larger than 50 MB as a zip, which is Lambda's limit");
}

bool cli_zip_dir(const char *dir, struct buf *out, struct err *err)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    if (!zip)
        return err_set(err, FAULT_INTERNAL, "cannot make a zip: %s", zip_error_strerror(&error));
    zip_source_keep(source);
    bool ok = add_tree(zip, dir, "", err);
    if (ok && zip_get_num_entries(zip, 0) == 0)
        ok = err_set(err, FAULT_INVALID, "%s is empty: there is nothing to deploy", dir);
    if (ok && zip_close(zip))
        ok = err_set(err, FAULT_INTERNAL, "cannot write the zip: %s", zip_strerror(zip));
    else if (!ok)
        zip_discard(zip);
    ok = ok && take_bytes(source, out, err);
    zip_source_free(source);
    return ok;
}
