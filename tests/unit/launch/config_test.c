#include "test.h"

#include "base/mem.h"
#include "launch/config.h"

#include <stdio.h>

static char *good_argv[] = {"lambkin-launch", "--data", "/d",       "--runtimes", "/r",
                            "--libexec",      "/l",     "--rootfs", "py=/srv/py", "--",
                            "/l/daemon",      NULL};

static struct launch_config config_of(char **argv)
{
    struct launch_config config;
    struct err err;
    assert_true(launch_config_parse(&config, argv, &err));
    return config;
}

static void command_line_is_strict(void **state)
{
    static char *bad[][14] = {
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", NULL},
        {"x", "--data", "d", "--runtimes", "/r", "--libexec", "/l", "--", "/x", NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--", "/x", NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--user", "0:0", "--", "/x",
         NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--uid-base", "5", "--", "/x",
         NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--max", "99999", "--", "/x",
         NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--rootfs", "../x=/y", "--",
         "/x", NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--cgroup-parent", "a/b", "--",
         "/x", NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--isolation", "some", "--",
         "/x", NULL},
        {"x", "--data", "/d", "--runtimes", "/r", "--libexec", "/l", "--nonsense", "1", "--", "/x",
         NULL},
    };
    struct launch_config config;
    struct err err;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        err.msg[0] = '\0';
        assert_false(launch_config_parse(&config, bad[i], &err));
        assert_true(err.msg[0]);
    }
    config = config_of(good_argv);
    assert_string_equal(launch_rootfs_dir(&config, "py"), "/srv/py");
    assert_string_equal(launch_rootfs_dir(&config, ""), "");
    assert_null(launch_rootfs_dir(&config, "no"));
    assert_string_equal(config.daemon_argv[0], "/l/daemon");
}

static struct launch_request *good_request(void)
{
    struct launch_request *r = NEW(launch_request);
    r->magic = LAUNCH_MAGIC;
    r->op = LAUNCH_SPAWN;
    r->id = 7;
    r->spec.kind = LAUNCH_ENVIRONMENT;
    memset(r->spec.code, 'a', LAUNCH_DIGEST_LEN);
    r->spec.memory = 128 << 20;
    r->spec.tmp_size = 512 << 20;
    r->spec.pids = 1024;
    r->spec.nofile = 1024;
    r->spec.argc = 2;
    r->spec.envc = 1;
    static const char strings[] = "/bin/x\0arg\0A=b";
    memcpy(r->spec.strings, strings, sizeof strings);
    r->spec.strings_len = sizeof strings;
    return r;
}

typedef void spoil(struct launch_request *r);

static void magic(struct launch_request *r)
{
    r->magic++;
}
static void op(struct launch_request *r)
{
    r->op = 99;
}
static void kind(struct launch_request *r)
{
    r->spec.kind = LAUNCH_ZYGOTE + 1;
}
static void kind_none(struct launch_request *r)
{
    r->spec.kind = 0;
}
static void rootfs_unknown(struct launch_request *r)
{
    strcpy(r->spec.rootfs, "other");
}
static void rootfs_path(struct launch_request *r)
{
    strcpy(r->spec.rootfs, "../py");
}
static void rootfs_rest(struct launch_request *r)
{
    strcpy(r->spec.rootfs, "py");
    r->spec.rootfs[10] = 'x';
}
static void runtime_dots(struct launch_request *r)
{
    strcpy(r->spec.runtime, "..");
}
static void runtime_slash(struct launch_request *r)
{
    strcpy(r->spec.runtime, "a/b");
}
static void runtime_endless(struct launch_request *r)
{
    memset(r->spec.runtime, 'a', sizeof r->spec.runtime);
}
static void code_short(struct launch_request *r)
{
    r->spec.code[63] = '\0';
}
static void code_upper(struct launch_request *r)
{
    r->spec.code[3] = 'A';
}
static void code_path(struct launch_request *r)
{
    memcpy(r->spec.code, "../../etc", 9);
}
static void code_endless(struct launch_request *r)
{
    r->spec.code[LAUNCH_DIGEST_LEN] = 'a';
}
static void layer_count(struct launch_request *r)
{
    r->spec.layer_count = LAUNCH_LAYERS_MAX + 1;
}
static void layer_empty(struct launch_request *r)
{
    r->spec.layer_count = 1;
}
static void memory_none(struct launch_request *r)
{
    r->spec.memory = 0;
}
static void memory_huge(struct launch_request *r)
{
    r->spec.memory = UINT64_MAX;
}
static void tmp_odd(struct launch_request *r)
{
    r->spec.tmp_size++;
}
static void tmp_huge(struct launch_request *r)
{
    r->spec.tmp_size = UINT64_C(10241) << 20;
}
static void pids(struct launch_request *r)
{
    r->spec.pids = 0;
}
static void nofile(struct launch_request *r)
{
    r->spec.nofile = 1u << 30;
}
static void cpu_both(struct launch_request *r)
{
    r->spec.cpu.weight_mb = r->spec.cpu.quota_mb = 1;
}
static void argc_none(struct launch_request *r)
{
    r->spec.argc = 0;
    r->spec.envc = 3;
}
static void argc_more(struct launch_request *r)
{
    r->spec.argc = 3;
}
static void envc_huge(struct launch_request *r)
{
    r->spec.envc = UINT32_MAX;
}
static void strings_open(struct launch_request *r)
{
    r->spec.strings[r->spec.strings_len - 1] = 'x';
}
static void strings_long(struct launch_request *r)
{
    r->spec.strings_len = LAUNCH_STRINGS_MAX + 1;
}
static void strings_relative(struct launch_request *r)
{
    r->spec.strings[0] = 'b';
}

static void each_wrong_field_is_refused(void **state)
{
    static spoil *const spoils[] = {
        magic,       op,           kind,          kind_none,       rootfs_unknown,  rootfs_path,
        rootfs_rest, runtime_dots, runtime_slash, runtime_endless, code_short,      code_upper,
        code_path,   code_endless, layer_count,   layer_empty,     memory_none,     memory_huge,
        tmp_odd,     tmp_huge,     pids,          nofile,          cpu_both,        argc_none,
        argc_more,   envc_huge,    strings_open,  strings_long,    strings_relative};
    struct launch_config config = config_of(good_argv);
    struct err err;
    for (size_t i = 0; i < COUNT_OF(spoils); i++) {
        struct launch_request *r = good_request();
        assert_true(launch_request_check(r, sizeof *r, &config, &err));
        spoils[i](r);
        if (launch_request_check(r, sizeof *r, &config, &err))
            fail_msg("spoiled field %zu passed", i);
        free(r);
    }
}

/* What is unpacked is named by digests, and by nothing else. */
static void unpack_names_digests(void **state)
{
    char digest[LAUNCH_DIGEST_LEN + 1] = {0};
    memset(digest, 'a', LAUNCH_DIGEST_LEN);
    const struct {
        const char *strings[3];
        bool good;
    } cases[] = {{{"/x", digest}, true},
                 {{"/x", digest, digest}, true},
                 {{"/x"}, false},
                 {{"/x", ""}, false},
                 {{"/x", digest + 1}, false},
                 {{"/x", "../../etc"}, false},
                 {{"/x", digest, ".tmp"}, false}};
    struct launch_config config = config_of(good_argv);
    struct err err;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct launch_request *r = good_request();
        struct sandbox_spec *spec = &r->spec;
        spec->kind = LAUNCH_UNPACK;
        memset(spec->code, 0, sizeof spec->code);
        memset(spec->strings, 0, sizeof spec->strings);
        spec->argc = spec->envc = spec->strings_len = 0;
        for (size_t n = 0; n < 3 && cases[i].strings[n]; n++) {
            strcpy(spec->strings + spec->strings_len, cases[i].strings[n]);
            spec->strings_len += (uint32_t)strlen(cases[i].strings[n]) + 1;
            spec->argc++;
        }
        assert_int_equal(launch_request_check(r, sizeof *r, &config, &err), cases[i].good);
        memset(spec->code, 'a', LAUNCH_DIGEST_LEN);
        assert_false(launch_request_check(r, sizeof *r, &config, &err));
        free(r);
    }
}

static void a_parked_one_has_no_code_yet(void **state)
{
    struct launch_config config = config_of(good_argv);
    struct launch_request *r = good_request();
    struct err err;
    r->spec.kind = LAUNCH_PARKED;
    assert_false(launch_request_check(r, sizeof *r, &config, &err));
    memset(r->spec.code, 0, sizeof r->spec.code);
    assert_true(launch_request_check(r, sizeof *r, &config, &err));
    r->op = LAUNCH_ASSIGN; /* assigned is only what has code */
    assert_false(launch_request_check(r, sizeof *r, &config, &err));
    r->op = LAUNCH_SPAWN;
    r->spec.layer_count = 1;
    memset(r->spec.layers[0], 'b', LAUNCH_DIGEST_LEN);
    assert_false(launch_request_check(r, sizeof *r, &config, &err));
    free(r);
}

/* It runs with privilege: only what the host's administrator has installed, and only as lambkin
 * starts it. */
static void a_zygote_is_a_known_interpreter(void **state)
{
    enum { STRINGS = 7 };
    static const struct {
        const char *runtime;
        const char *args[STRINGS];
        const char *variable;
        bool good;
    } cases[] = {
#define ARGS "-S", "-X", "utf8", "/var/runtime/bootstrap.py"
#define RUBY_ARGS "-E", "UTF-8", "/var/runtime/bootstrap.rb"
#define GEM_PATH(version)                                                                          \
    "GEM_PATH=/var/task/vendor/bundle/ruby/3.1.0:/opt/ruby/gems/3.1.0:/var/runtime:/var/runtime/"  \
    "ruby/" version
#define LANG "LANG=en_US.UTF-8"
        {"python", {"/usr/bin/python3.11", ARGS}, LANG, true},
        {"python", {"/usr/bin/python3.8", ARGS}, "PYTHONPATH=/var/runtime", true},
        {"python", {"/usr/bin/python3.", ARGS}, LANG, false},
        {"python", {"/usr/bin/python3.11/../sh", ARGS}, LANG, false},
        {"python", {"/usr/bin/python3.11-config", ARGS}, LANG, false},
        {"python", {"/tmp/python3.11", ARGS}, LANG, false},
        {"python", {"/usr/bin/python3.11", "-c", "import os"}, LANG, false},
        {"python", {"/usr/bin/python3.11", "-S", "-X", "utf8"}, LANG, false},
        {"python", {"/usr/bin/python3.11"}, LANG, false},
        {"python", {"/usr/bin/python3.11", ARGS, "more"}, LANG, false},
        {"python", {"/usr/bin/python3.11", ARGS}, "LD_PRELOAD=/usr/lib/x.so", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "PYTHONWARNINGS=x", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "PYTHONHOME=/var/task", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "PYTHONPATH=/proc/self/fd/4", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "PYTHONPATH=/var/runtime:/usr/x", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "PYTHONPATH=", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "LD_LIBRARY_PATH=/usr/x", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "PATH=/usr/x", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "LANG=C", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "TZ=/usr/x", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "_LAMBKIN_PARKED_FD=61", true},
        {"python", {"/usr/bin/python3.11", ARGS}, "_LAMBKIN_PARKED_FD=62", false},
        {"python", {"/usr/bin/python3.11", ARGS}, "_LAMBKIN_ROOM=   ", true},
        {"python", {"/usr/bin/python3.11", ARGS}, "_LAMBKIN_ROOM=  x", false},
        {"ruby",
         {"/usr/bin/ruby3.1", RUBY_ARGS},
         "RUBYLIB=/var/task:/var/runtime/lib:/opt/ruby/lib",
         true},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, GEM_PATH("3.1.0"), true},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, GEM_PATH("3.14.0"), true},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, GEM_PATH("3..0"), false},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, GEM_PATH("3.1/../x.0"), false},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, GEM_PATH("3.1.0") ":/usr/x", false},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, "RUBYOPT=-rx", false},
        {"ruby", {"/usr/bin/ruby3.1", RUBY_ARGS}, "PYTHONPATH=/var/runtime", false},
        {"ruby", {"/usr/bin/ruby3.1", ARGS}, LANG, false},
        {"python", {"/usr/bin/ruby3.1", RUBY_ARGS}, LANG, false},
        {"node", {"/usr/bin/python3.11", ARGS}, LANG, false},
        {"", {"/usr/bin/python3.11", ARGS}, LANG, false},
    };
    struct launch_config config = config_of(good_argv);
    struct err err;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(free) struct launch_request *r = good_request();
        struct sandbox_spec *spec = &r->spec;
        size_t n = 0;
        spec->kind = LAUNCH_ZYGOTE;
        memset(spec->code, 0, sizeof spec->code);
        memset(spec->strings, 0, sizeof spec->strings);
        strcpy(spec->runtime, cases[i].runtime);
        for (spec->argc = 0; spec->argc < STRINGS && cases[i].args[spec->argc]; spec->argc++)
            n += strlen(strcpy(spec->strings + n, cases[i].args[spec->argc])) + 1;
        n += strlen(strcpy(spec->strings + n, cases[i].variable)) + 1;
        spec->strings_len = (uint32_t)n;
        config.rootless = false;
        if (launch_request_check(r, sizeof *r, &config, &err) != cases[i].good)
            fail_msg("case %zu: %s", i, cases[i].args[0]);
        config.rootless = true;
        assert_false(launch_request_check(r, sizeof *r, &config, &err));
        config.rootless = false;
        strcpy(spec->rootfs, "py");
        assert_false(launch_request_check(r, sizeof *r, &config, &err));
    }
}

static void only_runtimes_are_forked(void **state)
{
    struct launch_config config = config_of(good_argv);
    AUTO(free) struct launch_request *r = good_request();
    struct sandbox_spec *spec = &r->spec;
    static const char digest[] =
        "/x\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct err err;
    spec->zygote = 3;
    assert_true(launch_request_check(r, sizeof *r, &config, &err));
    memset(spec->code, 0, sizeof spec->code);
    spec->kind = LAUNCH_PARKED;
    assert_true(launch_request_check(r, sizeof *r, &config, &err));
    spec->kind = LAUNCH_UNPACK;
    memcpy(spec->strings, digest, sizeof digest);
    spec->strings_len = sizeof digest;
    spec->envc = 0;
    assert_false(launch_request_check(r, sizeof *r, &config, &err));
    spec->zygote = 0;
    assert_true(launch_request_check(r, sizeof *r, &config, &err));
}

static void size_must_be_exact(void **state)
{
    struct launch_config config = config_of(good_argv);
    struct launch_request *r = good_request();
    struct err err;
    assert_false(launch_request_check(r, sizeof *r - 1, &config, &err));
    assert_false(launch_request_check(r, 0, &config, &err));
    assert_false(launch_request_check(r, sizeof *r + 1, &config, &err));
    free(r);
}

static void other_requests_look_at_what_they_use(void **state)
{
    struct launch_config config = config_of(good_argv);
    struct launch_request *r = good_request();
    struct err err;
    r->op = LAUNCH_FORGET_CODE;
    assert_true(launch_request_check(r, sizeof *r, &config, &err));
    r->spec.code[0] = '/';
    assert_false(launch_request_check(r, sizeof *r, &config, &err));
    r->op = LAUNCH_KILL;
    assert_true(launch_request_check(r, sizeof *r, &config, &err));
    r->op = LAUNCH_TUNE;
    r->spec.cpu.weight_mb = r->spec.cpu.quota_mb = 1;
    assert_false(launch_request_check(r, sizeof *r, &config, &err));
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_line_is_strict),
        cmocka_unit_test(each_wrong_field_is_refused),
        cmocka_unit_test(unpack_names_digests),
        cmocka_unit_test(a_parked_one_has_no_code_yet),
        cmocka_unit_test(a_zygote_is_a_known_interpreter),
        cmocka_unit_test(only_runtimes_are_forked),
        cmocka_unit_test(size_must_be_exact),
        cmocka_unit_test(other_requests_look_at_what_they_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
