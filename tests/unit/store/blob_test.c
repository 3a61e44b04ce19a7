#include "../test.h"

#include "base/mem.h"
#include "loop.h"
#include "store/blob.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static char dir[64];
static uv_loop_t loop;
static struct blobs *blobs;

static int setup(void **state)
{
    struct err err;
    make_scratch(dir);
    uv_loop_init(&loop);
    blobs = blobs_open(&loop, dir, &err);
    return blobs ? 0 : -1;
}

static int teardown(void **state)
{
    blobs_close(blobs);
    drain(&loop);
    remove_tree(dir);
    return 0;
}

struct answer {
    bool called;
    bool failed;
    struct blob_put *put;
    char digest[BLOB_DIGEST_LEN + 1];
};

static void on_written(void *arg, struct blob_put *put, const char *digest, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->failed = err != NULL;
    answer->put = put;
    if (digest)
        memcpy(answer->digest, digest, sizeof answer->digest);
}

static void on_kept(void *arg, const struct err *err)
{
    struct answer *answer = arg;
    answer->called = true;
    answer->failed = err != NULL;
}

static struct answer put(struct slice bytes)
{
    struct answer answer = {0};
    blob_write(blobs, bytes, on_written, &answer);
    run_until(&loop, &answer.called);
    return answer;
}

static bool keep(struct answer *answer)
{
    answer->called = false;
    blob_keep(answer->put, on_kept, answer);
    run_until(&loop, &answer->called);
    return !answer->failed;
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void test_put_get_forget(void **state)
{
    struct err err;
    uint64_t size = 0;
    char text[8] = "";
    struct answer answer = put(S("abc"));
    assert_false(answer.failed);
    assert_string_equal(answer.digest, abc);
    assert_int_equal(pread(blob_fd(answer.put), text, sizeof text, 0), 3);
    assert_int_equal(blob_open(blobs, abc, &size, &err), -1);
    assert_int_equal(err.fault, FAULT_NOT_FOUND);
    assert_true(keep(&answer));
    int fd = blob_open(blobs, abc, &size, &err);
    assert_true(fd >= 0);
    assert_int_equal(size, 3);
    assert_int_equal(read(fd, text, sizeof text), 3);
    close(fd);

    struct answer again = put(S("abc"));
    assert_true(keep(&again));
    assert_int_equal(files(), 1);
    blob_forget(blobs, abc);
    assert_int_equal(files(), 0);
    blob_forget(blobs, abc);
}

static void test_drop(void **state)
{
    struct answer answer = put(S("abc"));
    assert_int_equal(files(), 1);
    blob_drop(answer.put);
    assert_int_equal(files(), 0);
}

static bool only_abc(void *arg, const char *digest)
{
    return strcmp(digest, abc) == 0;
}

static void test_sweep(void **state)
{
    struct err err;
    struct answer one = put(S("abc"));
    struct answer two = put(S("other"));
    assert_true(keep(&one) && keep(&two));
    char path[200];
    snprintf(path, sizeof path, "%s/.tmp-0123456789abcdef", dir);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(files(), 3);
    blobs_close(blobs);
    blobs = blobs_open(&loop, dir, &err);
    assert_int_equal(files(), 2);
    blobs_sweep(blobs, only_abc, NULL);
    assert_int_equal(files(), 1);
}

static void test_full_disk(void **state)
{
    struct rlimit old;
    const struct rlimit tight = {1000, RLIM_INFINITY};
    static char text[100000];
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    must(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    struct answer answer = put((struct slice){text, sizeof text});
    must(setrlimit(RLIMIT_FSIZE, &old) == 0);
    assert_true(answer.failed);
    assert_null(answer.put);
    assert_int_equal(files(), 0);
}

static void test_digests(void **state)
{
    char digest[BLOB_DIGEST_LEN + 1];
    blob_digest(S("abc"), digest);
    assert_string_equal(digest, abc);
    assert_true(blob_is_digest(slice_str(abc)));
    assert_false(blob_is_digest(S("abc")));
    assert_false(
        blob_is_digest(S("../816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad00")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_put_get_forget), TEST(test_drop), TEST(test_sweep),
                                       TEST(test_full_disk), TEST(test_digests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
