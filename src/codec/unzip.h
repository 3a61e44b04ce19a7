/* Code packages: what may be unpacked from a zip, and how. Nothing here writes a file.
 *
 * libzip reads; our own rules decide. A plan is made from the whole list of entries before the
 * first byte is written: it refuses names that leave the folder (absolute, "..", backslash), are no
 * UTF-8, hold a zero byte, are too long or too deep, come twice, or are both file and folder;
 * everything but files, folders and links; encrypted entries; more entries or more bytes than AWS
 * takes. */
#ifndef LK_UNZIP_H
#define LK_UNZIP_H

#include "base/arena.h"
#include "base/err.h"

enum {
    UNZIP_UNPACKED_LIMIT = 262144000, /* AWS: must be smaller than this */
    UNZIP_ENTRIES_MAX = 65535,
    UNZIP_PATH_MAX = 1024,
    UNZIP_PART_MAX = 255,
    UNZIP_DEPTH_MAX = 48, /* the launcher removes trees of up to 64 levels */
};

struct unzip_entry {
    struct slice name; /* as in the central directory */
    uint64_t size;
    uint64_t mtime; /* Unix seconds */
    uint32_t mode;  /* st_mode; 0 if the zip has none */
    bool encrypted;
};

enum unzip_kind { UNZIP_FILE, UNZIP_DIR, UNZIP_LINK };

struct unzip_item {
    struct slice path; /* relative, without "." and trailing '/' */
    enum unzip_kind kind;
    uint32_t mode; /* permissions that it gets: nothing for others to write, no setuid */
    uint64_t mtime;
    size_t entry; /* SIZE_MAX: a folder that only the names of others imply */
};

/* Folders come before what is in them. */
struct unzip_plan {
    struct unzip_item *items;
    size_t count;
};

/* FAULT_INVALID: a bad zip; FAULT_LIMIT: too large unzipped. */
bool unzip_make_plan(struct arena *arena, const struct unzip_entry *entries, size_t count,
                     struct unzip_plan *out, struct err *err) MUST_USE;

/* Whether a link at `path` may point there: relative, and inside the package. */
bool unzip_link_is_inside(struct slice path, struct slice target);

struct unzip_reader;

struct unzip_reader *unzip_reader_open(struct slice file,
                                       struct err *err); /* the bytes must stay */
void unzip_reader_close(struct unzip_reader *reader);    /* NULL is fine */
bool unzip_reader_list(struct unzip_reader *reader, struct arena *arena, struct unzip_entry **out,
                       size_t *out_count, struct err *err) MUST_USE;

/* The contents, piece by piece, checked against size and CRC. `more` returns false to stop. */
typedef bool unzip_more(void *arg, struct slice piece, struct err *err);
bool unzip_reader_extract(struct unzip_reader *reader, size_t entry, unzip_more *more, void *arg,
                          struct err *err) MUST_USE;

#endif
