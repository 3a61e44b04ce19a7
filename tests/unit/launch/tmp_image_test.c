#include "launch/tmp_image.h"

#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int dir;

static struct tmp_image image_new(void)
{
    struct err err;
    struct tmp_image image;
    if (!tmp_image_new(dir, 16 << 20, &image, &err))
        fail_msg("%s", err.msg);
    return image;
}

static void an_image_goes_with_its_device(void **state)
{
    struct tmp_image none = {.loop = -1};
    struct tmp_image image = image_new();
    assert_true(tmp_image_gone(&none));
    assert_false(tmp_image_gone(&image));
    close(image.loop);
    while (!tmp_image_gone(&image)) /* somebody of this host may be looking at the device */
        usleep(1000);
}

/* Another lambkin takes the device, and the file system hands the same inode out again: the image
 * that was there before is gone all the same. */
static void the_next_one_on_the_device_is_another(void **state)
{
    struct tmp_image old = image_new();
    struct tmp_image next;
    close(old.loop);
    while (!tmp_image_gone(&old))
        usleep(1000);
    for (int tries = 0; tries < 100; tries++) {
        next = image_new();
        if (!strcmp(next.path, old.path))
            break;
        close(next.loop);
    }
    assert_string_equal(next.path, old.path);
    assert_true(tmp_image_gone(&old));
    assert_false(tmp_image_gone(&next));
    close(next.loop);
}

int main(void)
{
    struct err err;
    if (!tmp_image_possible(&err)) {
        print_message("skipped: %s\n", err.msg);
        return 77;
    }
    dir = open("/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_goes_with_its_device),
        cmocka_unit_test(the_next_one_on_the_device_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
