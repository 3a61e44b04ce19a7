/* Which interpreter a runtime identifier means, in a root file system made for it. */
#include "test.h"

#include "base/mem.h"
#include "env/runtime.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static char top[] = "/tmp/lambkin-runtime-test-XXXXXX";
static char root[128];
static char conf_dir[128];
static struct env_rootfs rootfs[2];
static struct env_settings settings;

static void make_file(const char *path, const char *text, mode_t mode)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", top, path);
    for (char *at = full + strlen(top) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0755);
        *at = '/';
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    assert_non_null(mkdtemp(top));
    make_file("conf/python/runtime.conf",
              "# Python\nprefix = python3.\ninterpreters = /usr/bin/python3.* /opt/python3.*\n"
              "install = apt-get install python3\nargs = {interpreter} /var/runtime/x.py\nenv = "
              "12+:LC_CTYPE=C.UTF-8\n",
              0644);
    make_file("conf/node/runtime.conf",
              "prefix = nodejs\nsuffix = .x\ninterpreters = /usr/bin/node\nversion_mark = "
              "release/v\nversion_files = /usr/lib/*/libnode.so.*\ninstall = apt-get install "
              "it\nargs = {interpreter}\n",
              0644);
    make_file(
        "conf/dotnet/runtime.conf",
        "prefix = dotnet\ninterpreters = /usr/share/dotnet/dotnet\nversion_folders = "
        "shared/App/[!2-7]*\nnearest = newer\ninstall = apt-get install it\nargs = {interpreter}\n",
        0644);
    make_file("conf/notes/readme", "no language", 0644);
    make_file("root/usr/bin/python3.9", "", 0755);
    make_file("root/usr/bin/python3.12", "", 0755);
    make_file("root/usr/bin/python3.12-config", "", 0755);
    make_file("root/usr/bin/python3.14", "", 0644); /* not executable */
    make_file("root/opt/python3.13", "", 0755);     /* not below /usr */
    make_file("root/usr/bin/node", "small", 0755);
    make_file("root/usr/lib/x/libnode.so.108", "....release/v18.20.4/node", 0644);
    make_file("root/usr/share/dotnet/dotnet", "", 0755);
    make_file("root/usr/share/dotnet/shared/App/6.0.36/x.dll", "", 0644); /* passed over */
    make_file("root/usr/share/dotnet/shared/App/8.0.11/x.dll", "", 0644);
    make_file("root/usr/share/dotnet/shared/App/10.0.12/x.dll", "", 0644);
    make_file("root/usr/share/dotnet/shared/App/readme", "", 0644);
    snprintf(root, sizeof root, "%s/root", top);
    snprintf(conf_dir, sizeof conf_dir, "%s/conf", top);
    rootfs[0] = (struct env_rootfs){"python3.13", root};
    rootfs[1] = (struct env_rootfs){"nodejs20.x", root};
    settings = env_settings_default;
    settings.runtimes_dir = conf_dir;
    settings.rootfs = rootfs;
    settings.rootfs_count = 2;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static int teardown(void **state)
{
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void the_nearest_serves(void **state)
{
    struct err err;
    struct runtime_choice choice;
    struct runtimes *runtimes = runtimes_load(&settings, &err);
    assert_non_null(runtimes);
    assert_true(runtimes_choose(runtimes, S("python3.13"), &choice, &err));
    assert_true(slice_eq(choice.language, S("python")));
    assert_true(slice_eq(choice.interpreter, S("/usr/bin/python3.12")));
    assert_true(slice_eq(choice.rootfs, S("python3.13")));
    assert_false(choice.exact);
    assert_int_equal(choice.version, 12);
    assert_true(runtimes_choose(runtimes, S("nodejs20.x"), &choice, &err));
    assert_true(slice_eq(choice.interpreter, S("/usr/bin/node")));
    assert_false(choice.exact); /* 18 by the library's mark */
    runtimes_free(runtimes);
}

static void a_missing_one_says_what_to_install(void **state)
{
    struct err err;
    struct runtime_choice choice;
    make_file("conf/perl/runtime.conf",
              "prefix = perl5.\ninterpreters = /usr/bin/perl5.*\ninstall = apt-get install perl\n"
              "args = {interpreter}\n",
              0644);
    make_file("conf/cobol/runtime.conf",
              "prefix = cobol\ninterpreters = /usr/bin/cobol*\nargs = {interpreter}\n", 0644);
    rootfs[0].runtime = "perl5.40";
    rootfs[1].runtime = "cobol85";
    struct runtimes *runtimes = runtimes_load(&settings, &err);
    assert_false(runtimes_choose(runtimes, S("perl5.40"), &choice, &err));
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "/usr: apt-get install perl (looked for /usr/bin/perl5.*)"));
    assert_false(runtimes_choose(runtimes, S("cobol85"), &choice, &err));
    assert_non_null(strstr(err.msg, "/usr: install cobol there (looked for"));
    runtimes_free(runtimes);
    rootfs[0].runtime = "python3.13";
    rootfs[1].runtime = "nodejs20.x";
}

static void folders_beside_it_are_its_versions(void **state)
{
    static const struct {
        const char *runtime;
        bool served, exact;
    } cases[] = {
        {"dotnet6", true, false}, {"dotnet8", true, true},    {"dotnet9", true, false},
        {"dotnet10", true, true}, {"dotnet11", false, false},
    };
    struct err err;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct runtime_choice choice;
        rootfs[0].runtime = cases[i].runtime;
        struct runtimes *runtimes = runtimes_load(&settings, &err);
        assert_int_equal(runtimes_choose(runtimes, slice_str(cases[i].runtime), &choice, &err),
                         cases[i].served);
        if (cases[i].served) {
            assert_true(slice_eq(choice.interpreter, S("/usr/share/dotnet/dotnet")));
            assert_int_equal(choice.exact, cases[i].exact);
        } else {
            assert_int_equal(err.fault, FAULT_UNAVAILABLE); /* it would not load what is newer */
        }
        runtimes_free(runtimes);
    }
    rootfs[0].runtime = "python3.13";
}

static void the_system_in_a_name_is_no_version(void **state)
{
    const struct runtime_conf java = {.prefix = S("java")};
    const struct runtime_conf node = {.prefix = S("nodejs"), .suffix = S(".x")};
    assert_int_equal(runtime_version(&java, S("java8.al2")), 8);
    assert_int_equal(runtime_version(&java, S("java8")), 8);
    assert_int_equal(runtime_version(&java, S("java.al2")), 0);
    assert_int_equal(runtime_version(&java, S("java8.al3")), 0);
    assert_int_equal(runtime_version(&node, S("nodejs20.x")), 20);
    assert_int_equal(runtime_version(&node, S("nodejs.x")), 0);
}

static void what_was_not_built_says_so(void **state)
{
    struct err err;
    struct runtime_choice choice;
    make_file("conf/java/runtime.conf",
              "prefix = java\ninterpreters = /usr/bin/java*\nbuilt = x.jar\ninstall = apt-get "
              "install it\nargs = {interpreter}\n",
              0644);
    make_file("root/usr/bin/java17", "", 0755);
    rootfs[0].runtime = "java17";
    struct runtimes *runtimes = runtimes_load(&settings, &err);
    assert_false(runtimes_choose(runtimes, S("java17"), &choice, &err));
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "runtimes/java/x.jar is missing"));
    make_file("conf/java/x.jar", "", 0644);
    assert_true(runtimes_choose(runtimes, S("java17"), &choice, &err));
    runtimes_free(runtimes);
    rootfs[0].runtime = "python3.13";
}

static void an_archive_holds_for_one_interpreter(void **state)
{
    struct err err;
    struct runtime_choice choice;
    char found[RUNTIME_PATH_MAX];
    make_file("conf/java/runtime.conf",
              "prefix = java\ninterpreters = /usr/bin/java*\narchives = made\nargs = "
              "{interpreter} -A={archive}\n",
              0644);
    make_file("root/usr/bin/java17", "", 0755);
    rootfs[0].runtime = "java17";
    struct runtimes *runtimes = runtimes_load(&settings, &err);
    assert_true(runtimes_choose(runtimes, S("java17"), &choice, &err));
    assert_false(runtimes_archive(runtimes, &choice, found));
    make_file("conf/java/made/usr/bin/java17", "", 0644);
    assert_true(runtimes_archive(runtimes, &choice, found));
    assert_string_equal(found, "made/usr/bin/java17");
    char path[512];
    struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    snprintf(path, sizeof path, "%s/conf/java/made/usr/bin/java17", top);
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0); /* made before it was installed */
    assert_false(runtimes_archive(runtimes, &choice, found));
    choice.interpreter = S("/usr/bin/java18");
    assert_false(runtimes_archive(runtimes, &choice, found));
    runtimes_free(runtimes);
    rootfs[0].runtime = "python3.13";
}

static void a_setting_wants_the_exact_one(void **state)
{
    struct err err;
    struct runtime_choice choice;
    settings.runtime_exact = true;
    struct runtimes *runtimes = runtimes_load(&settings, &err);
    assert_false(runtimes_choose(runtimes, S("python3.13"), &choice, &err));
    assert_int_equal(err.fault, FAULT_UNAVAILABLE);
    runtimes_free(runtimes);
    rootfs[0].runtime = "python3.12";
    runtimes = runtimes_load(&settings, &err);
    assert_true(runtimes_choose(runtimes, S("python3.12"), &choice, &err));
    assert_true(choice.exact);
    runtimes_free(runtimes);
    settings.runtime_exact = false;
    rootfs[0].runtime = "python3.13";
}

static void custom_and_unknown_runtimes(void **state)
{
    struct err err;
    struct runtime_choice choice;
    struct runtimes *runtimes = runtimes_load(&settings, &err);
    assert_true(runtimes_choose(runtimes, S("go1.x"), &choice, &err));
    assert_int_equal(choice.interpreter.n, 0);
    assert_true(runtimes_choose(runtimes, S("provided.al2023"), &choice, &err));
    assert_null(choice.language.p);
    assert_null(choice.interpreter.p);
    const char *unknown[] = {"ruby3.3", "python3.", "python3.x", "nodejs20", "", "python3.1x"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_false(runtimes_choose(runtimes, slice_str(unknown[i]), &choice, &err));
    runtimes_free(runtimes);
}

static void a_bad_file_says_which_line(void **state)
{
    struct err err;
    make_file("conf/bad/runtime.conf", "prefix = x\ncolour = red\n", 0644);
    assert_null(runtimes_load(&settings, &err));
    assert_non_null(strstr(err.msg, "runtimes/bad/runtime.conf: line 2: unknown key 'colour'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_serves),
        cmocka_unit_test(a_missing_one_says_what_to_install),
        cmocka_unit_test(folders_beside_it_are_its_versions),
        cmocka_unit_test(the_system_in_a_name_is_no_version),
        cmocka_unit_test(what_was_not_built_says_so),
        cmocka_unit_test(an_archive_holds_for_one_interpreter),
        cmocka_unit_test(a_setting_wants_the_exact_one),
        cmocka_unit_test(custom_and_unknown_runtimes),
        cmocka_unit_test(a_bad_file_says_which_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
