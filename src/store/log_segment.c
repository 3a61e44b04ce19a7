#include "store/log_segment.h"

#include "base/mem.h"
#include "store/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct head {
    uint32_t check;
    uint32_t kind;
    uint32_t stream;
    uint32_t length;
    uint64_t timestamp;
    uint64_t ingestion;
};

_Static_assert(sizeof(struct head) == SEGMENT_HEAD, "written as it is");

static uint32_t check_of(const struct head *head)
{
    uint32_t h = UINT32_C(2166136261);
    const unsigned char *p = (const unsigned char *)head;
    for (size_t i = sizeof head->check; i < sizeof *head; i++)
        h = (h ^ p[i]) * UINT32_C(16777619);
    return h;
}

void segment_add(struct buf *out, const struct record *record)
{
    struct head head = {.kind = record->kind,
                        .stream = record->stream,
                        .length = (uint32_t)record->text.n,
                        .timestamp = record->timestamp,
                        .ingestion = record->ingestion};
    head.check = check_of(&head);
    buf_add(out, &head, sizeof head);
    buf_slice(out, record->text);
}

bool segment_next(struct slice segment, size_t *at, struct record *out)
{
    struct head head;
    if (segment.n - *at < sizeof head)
        return false;
    memcpy(&head, segment.p + *at, sizeof head);
    if (head.check != check_of(&head) || head.length > segment.n - *at - sizeof head)
        return false;
    *out = (struct record){head.kind, head.stream, head.timestamp, head.ingestion,
                           slice_sub(segment, *at + sizeof head, head.length)};
    *at += sizeof head + head.length;
    return true;
}

static void file_name(uint32_t number, char name[16])
{
    snprintf(name, 16, "%08x.log", number);
}

/* Exactly what file_name() writes. */
static bool number_of(const char *name, uint32_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t number = 0;
    for (size_t i = 0; i < 8; i++) {
        const char *digit = name[i] ? strchr(digits, name[i]) : NULL;
        if (!digit)
            return false;
        number = number << 4 | (uint32_t)(digit - digits);
    }
    *out = number;
    return strcmp(name + 8, ".log") == 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct segment *)a)->number;
    uint32_t y = ((const struct segment *)b)->number;
    return x < y ? -1 : x > y;
}

size_t segment_list(int group_dir, struct segment **out)
{
    struct segment *list = NULL;
    size_t n = 0;
    int fd = openat(group_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        uint32_t number = 0;
        if (!number_of(entry->d_name, &number) ||
            fstatat(group_dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if ((n & (n - 1)) == 0)
            list = mem_grow(list, (n ? 2 * n : 1) * sizeof *list);
        list[n++] = (struct segment){number, (uint64_t)st.st_size,
                                     (uint64_t)st.st_mtim.tv_sec * 1000 +
                                         (uint64_t)st.st_mtim.tv_nsec / 1000000};
    }
    if (dir)
        closedir(dir);
    if (n)
        qsort(list, n, sizeof *list, by_number);
    *out = list;
    return n;
}

int segment_open(int group_dir, uint32_t number, int flags)
{
    char name[16];
    file_name(number, name);
    return openat(group_dir, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

bool segment_read(int group_dir, uint32_t number, struct buf *out)
{
    char name[16];
    file_name(number, name);
    return segment_read_file(group_dir, name, out);
}

bool segment_read_file(int group_dir, const char *name, struct buf *out)
{
    struct stat st;
    AUTO(fd) int fd = openat(group_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    buf_clear(out);
    if (fd < 0 || fstat(fd, &st) != 0)
        return false;
    char *to = st.st_size > 0 ? buf_reserve(out, (size_t)st.st_size) : NULL;
    while (to && out->n < (size_t)st.st_size) {
        ssize_t n = read(fd, out->p + out->n, (size_t)st.st_size - out->n);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        out->n += (size_t)n;
    }
    return true;
}

void segment_remove(int group_dir, uint32_t number)
{
    char name[16];
    file_name(number, name);
    unlinkat(group_dir, name, 0);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

void log_file_name(struct slice name, char out[LOG_FILE_NAME_MAX])
{
    enum { KEEP = 120 };
    char digest[BLOB_DIGEST_LEN + 1];
    size_t n = 0;
    size_t i = 0;
    for (; i < name.n && n < KEEP; i++) {
        if (is_plain(name.p[i]) || (name.p[i] == '.' && n > 0))
            out[n++] = name.p[i];
        else
            n += (size_t)snprintf(out + n, LOG_FILE_NAME_MAX - n, "%%%02x",
                                  (unsigned)(unsigned char)name.p[i]);
    }
    if (n == 0)
        out[n++] = '%';
    out[n] = '\0';
    if (i == name.n)
        return;
    blob_digest(name, digest);
    snprintf(out + n, LOG_FILE_NAME_MAX - n, "~%.40s", digest);
}
