#include "launch/cgroup_ops.h"

#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

bool cgroup_write(int dir, const char *name, const char *text)
{
    AUTO(fd) int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n;
}

bool cgroup_write_number(int dir, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return cgroup_write(dir, name, text);
}

struct slice cgroup_read(int dir, const char *name, char *to, size_t cap)
{
    AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, to, cap) : -1;
    return n < 0 ? (struct slice){NULL, 0} : (struct slice){to, (size_t)n};
}

uint64_t cgroup_read_key(int dir, const char *name, const char *key)
{
    char text[1024];
    uint64_t value = 0;
    struct slice rest = cgroup_read(dir, name, text, sizeof text);
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        struct slice word;
        if (slice_cut(&line, ' ', &word) && slice_eq(word, slice_str(key)) &&
            slice_u64(line, &value))
            return value;
    }
    return 0;
}

uint64_t cgroup_read_number(int dir, const char *name)
{
    char text[64];
    uint64_t value = 0;
    struct slice rest = cgroup_read(dir, name, text, sizeof text);
    struct slice line;
    return slice_cut(&rest, '\n', &line) && slice_u64(line, &value) ? value : 0;
}
