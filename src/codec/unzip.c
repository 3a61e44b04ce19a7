#include "codec/unzip.h"

#include "base/mem.h"

#include <zip.h>

/* libzip hands names out as C strings; a zero byte in one would hide what follows it. So the names
 * are read from the central directory here, and both views must agree. */

enum {
    EOCD_LEN = 22,
    EOCD64_LOCATOR_LEN = 20,
    EOCD64_LEN = 56,
    CENTRAL_LEN = 46,
    COMMENT_MAX = 65535,
    OS_UNIX = 3,
    OS_DARWIN = 19,
    PIECE = 65536,
};

struct unzip_reader {
    struct slice file;
    zip_t *zip;
};

static uint64_t number(struct slice s, size_t at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | (unsigned char)s.p[at + i - 1];
    return value;
}

static bool bad(struct err *err, const char *why)
{
    return err_set(err, FAULT_INVALID, "%s", why);
}

/* ---- the central directory, as far as names go ---- */

static size_t find_end(struct slice file)
{
    for (size_t back = EOCD_LEN; back <= file.n && back <= EOCD_LEN + COMMENT_MAX; back++) {
        size_t at = file.n - back;
        if (number(file, at, 4) == 0x06054b50 && number(file, at + 20, 2) == back - EOCD_LEN)
            return at;
    }
    return SIZE_MAX;
}

static bool find_directory(struct slice file, size_t *out_at, uint64_t *out_count)
{
    size_t end = find_end(file);
    if (end == SIZE_MAX)
        return false;
    uint64_t count = number(file, end + 10, 2);
    uint64_t at = number(file, end + 16, 4);
    bool wide = count == UINT16_MAX || at == UINT32_MAX;
    if (wide && end >= EOCD64_LOCATOR_LEN &&
        number(file, end - EOCD64_LOCATOR_LEN, 4) == 0x07064b50) {
        uint64_t end64 = number(file, end - EOCD64_LOCATOR_LEN + 8, 8);
        if (file.n < EOCD64_LEN || end64 > file.n - EOCD64_LEN ||
            number(file, end64, 4) != 0x06064b50)
            return false;
        count = number(file, end64 + 32, 8);
        at = number(file, end64 + 48, 8);
    }
    *out_at = at;
    *out_count = count;
    return at <= file.n;
}

/* The name of the entry at *at; moves on to the next. */
static bool next_name(struct slice file, size_t *at, struct slice *out)
{
    if (file.n - *at < CENTRAL_LEN || number(file, *at, 4) != 0x02014b50)
        return false;
    size_t name = number(file, *at + 28, 2);
    size_t rest = number(file, *at + 30, 2) + number(file, *at + 32, 2);
    if (name + rest > file.n - *at - CENTRAL_LEN)
        return false;
    *out = slice_sub(file, *at + CENTRAL_LEN, name);
    *at += CENTRAL_LEN + name + rest;
    return true;
}

/* ---- reading ---- */

struct unzip_reader *unzip_reader_open(struct slice file, struct err *err)
{
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(file.p, file.n, 0, &why);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
    if (!zip) {
        err_set(err, FAULT_INVALID, "not a zip: %s", zip_error_strerror(&why));
        if (source)
            zip_source_free(source);
        zip_error_fini(&why);
        return NULL;
    }
    zip_error_fini(&why);
    struct unzip_reader *reader = NEW(unzip_reader);
    reader->file = file;
    reader->zip = zip;
    return reader;
}

void unzip_reader_close(struct unzip_reader *reader)
{
    if (!reader)
        return;
    zip_discard(reader->zip);
    free(reader);
}

static bool read_entry(struct unzip_reader *reader, size_t index, struct slice name,
                       struct unzip_entry *out, struct err *err)
{
    zip_stat_t st;
    uint8_t os = 0;
    uint32_t attributes = 0;
    zip_stat_init(&st);
    const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE;
    if (zip_stat_index(reader->zip, index, ZIP_FL_ENC_RAW, &st) != 0 ||
        (st.valid & needed) != needed ||
        zip_file_get_external_attributes(reader->zip, index, 0, &os, &attributes) != 0)
        return bad(err, "entry that cannot be read");
    if (!slice_eq(slice_str(st.name), slice_sub(name, 0, strlen(st.name))) ||
        strlen(st.name) != name.n)
        return bad(err, "name of an entry");
    bool unix_mode = os == OS_UNIX || os == OS_DARWIN;
    *out = (struct unzip_entry){
        .name = name,
        .size = st.size,
        .mtime = (st.valid & ZIP_STAT_MTIME) && st.mtime > 0 ? (uint64_t)st.mtime : 0,
        .mode = unix_mode ? attributes >> 16 : 0,
        .encrypted =
            (st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE};
    return true;
}

bool unzip_reader_list(struct unzip_reader *reader, struct arena *arena, struct unzip_entry **out,
                       size_t *out_count, struct err *err)
{
    size_t at = 0;
    uint64_t count = 0;
    zip_int64_t known = zip_get_num_entries(reader->zip, 0);
    if (!find_directory(reader->file, &at, &count) || known < 0 || (uint64_t)known != count)
        return bad(err, "central directory");
    if (count > UNZIP_ENTRIES_MAX)
        return bad(err, "too many entries");
    struct unzip_entry *entries = arena_array(arena, count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        struct slice name;
        if (!next_name(reader->file, &at, &name))
            return bad(err, "central directory");
        if (!read_entry(reader, i, name, &entries[i], err))
            return false;
    }
    *out = entries;
    *out_count = count;
    return true;
}

bool unzip_reader_extract(struct unzip_reader *reader, size_t entry, unzip_more *more, void *arg,
                          struct err *err)
{
    static char piece[PIECE];
    zip_int64_t n = -1;
    bool ok = true;
    uint64_t total = 0;
    zip_stat_t st;
    zip_stat_init(&st);
    if (zip_stat_index(reader->zip, entry, 0, &st) != 0)
        return bad(err, "entry that cannot be read");
    zip_file_t *file = zip_fopen_index(reader->zip, entry, 0);
    if (!file)
        return err_set(err, FAULT_INVALID, "entry: %s", zip_strerror(reader->zip));
    while (ok && (n = zip_fread(file, piece, sizeof piece)) > 0) {
        total += (uint64_t)n;
        ok = (total <= st.size || bad(err, "entry larger than its size")) &&
             more(arg, (struct slice){piece, (size_t)n}, err);
    }
    if (ok && n == 0 && total != st.size)
        ok = bad(err, "entry smaller than its size");
    if (ok && n < 0)
        ok = err_set(err, FAULT_INVALID, "contents: %s", zip_file_strerror(file));
    zip_fclose(file);
    return ok;
}
