/* /tmp of a sandbox as a file system of its own: an ext4 image in an unlinked sparse file behind a
 * loop device. The usable space is exactly what was asked for, and it is not the function's memory:
 * its pages are page cache with a disk behind it, which the kernel takes back under pressure.
 *
 * mke2fs makes one template per size (about 10 ms, once); each image is a sparse copy of it, made
 * and attached by the launcher and mounted by init. */
#ifndef LK_TMP_IMAGE_H
#define LK_TMP_IMAGE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { TMP_PATH_MAX = 32 };

struct tmp_image {
    uint64_t size;           /* what functions can use; 0 = there is none */
    char path[TMP_PATH_MAX]; /* of the loop device */
    int loop;                /* it lives until this is closed, or as long as it is mounted; or -1 */
    uint64_t tag;            /* tells it from the next one on the same device: inodes come again */
};

/* Can this host do it: privilege, loop devices, mke2fs? */
bool tmp_image_possible(struct err *err) MUST_USE;

/* Copies the template of this size, which is made when it is first needed, and attaches the copy to
 * a free loop device. Unlinked files lie in `dir`. size: a multiple of 4096. */
bool tmp_image_new(int dir, uint64_t size, struct tmp_image *out, struct err *err) MUST_USE;
bool tmp_image_warm(int dir, uint64_t size, struct err *err) MUST_USE; /* makes the template */
/* Mounts it (nosuid, nodev); the loop device goes with the mount. */
bool tmp_image_mount(const char *device, const char *target, struct err *err) MUST_USE;

/* Nobody has it mounted any more: device and file are gone. */
bool tmp_image_gone(const struct tmp_image *image);

#endif
