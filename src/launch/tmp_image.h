/* /tmp of a sandbox as a file system of its own: an ext4 image in an unlinked sparse file behind a
 * loop device. The usable space is exactly what was asked for, and it is not the function's memory:
 * its pages are page cache with a disk behind it, which the kernel takes back under pressure.
 *
 * mke2fs makes one template per size (about 10 ms, once); each image is a sparse copy of it. */
#ifndef LK_TMP_IMAGE_H
#define LK_TMP_IMAGE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Can this host do it: privilege, loop devices, mke2fs? */
bool tmp_image_possible(struct err *err) MUST_USE;

/* A descriptor of a new image in an unlinked file in directory `dir`, or -1. size: a multiple of
 * 4096. */
int tmp_image_new(int dir, uint64_t size, struct err *err);

/* Mounts the image on `target` (nosuid, nodev); the loop device goes with the mount. */
bool tmp_image_mount(int image, const char *target, struct err *err) MUST_USE;

#endif
