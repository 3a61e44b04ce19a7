/* The Extensions API (dataplane.md 3.9): every route, state and error; and which files are
 * extensions. */
#include "test.h"

#include "fake.h"

#include "base/mem.h"
#include "env/extension_files.h"
#include "env/extensions.h"
#include "env/runtime_api.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static struct fake_function f;
static struct extensions extensions;
static struct runtime_api *api;
static struct extension *external;
static int moves;

static void on_moved(void *arg)
{
    moves++;
}

static void ignore(void *arg)
{
}

static const struct runtime_api_owner owner = {.on_next = ignore};

static int setup(void **state)
{
    struct err err;
    close(fake_start());
    fake_function_init(&f, S("f"));
    moves = 0;
    extensions_init(&extensions, &f.fn, on_moved, NULL);
    api = runtime_api_new(fake_loop, &extensions, &owner, NULL);
    assert_true(runtime_api_open(api, fake_launcher, &err));
    external = extensions_add(&extensions, S("ext"));
    external->external = external->alive = true;
    extensions.open = true;
    return 0;
}

static int teardown(void **state)
{
    runtime_api_free(api);
    extensions_clear(&extensions);
    fake_reset();
    return 0;
}

static struct fake_reply *ask(const char *path, const char *header, const char *value,
                              const char *body)
{
    char full[128];
    snprintf(full, sizeof full, "/2020-01-01/extension/%s", path);
    struct fake_send send = {.method = strcmp(path, "event/next") ? "POST" : "GET",
                             .path = full,
                             .body = slice_str(body),
                             .headers = {{slice_str(header), slice_str(value)}}};
    if (!strcmp(header, "both")) {
        send.headers[0] = (struct http_header){S("lambda-extension-identifier"), slice_str(value)};
        send.headers[1] =
            (struct http_header){S("Lambda-Extension-Function-Error-Type"), S("Extension.Mine")};
    }
    return fake_request(&send);
}

static struct fake_reply *join(const char *name, const char *body)
{
    return ask("register", "Lambda-Extension-Name", name, body);
}

static struct fake_reply *next_of(const struct extension *extension)
{
    return ask("event/next", "Lambda-Extension-Identifier", extension->id, "");
}

static struct fake_reply *report(const char *path, const struct extension *extension)
{
    return ask(path, "both", extension->id, "{}");
}

static void assert_refused(const struct fake_reply *reply, const char *type, const char *message)
{
    char want[512];
    snprintf(want, sizeof want, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
    assert_true(reply->answered);
    assert_int_equal(reply->status, 403);
    assert_true(slice_eq(buf_all(&reply->body), slice_str(want)));
}

static void assert_body(const struct fake_reply *reply, const char *want)
{
    assert_true(reply->answered);
    assert_int_equal(reply->status, 200);
    assert_true(slice_eq(buf_all(&reply->body), slice_str(want)));
}

static const struct extensions_invoke invoke = {.request_id = S_INIT("r"),
                                                .deadline_ms = 7,
                                                .arn = S_INIT("arn:f"),
                                                .trace_id = S_INIT("Root=1")};

#define INVOKE                                                                                     \
    "{\"eventType\":\"INVOKE\",\"deadlineMs\":7,\"requestId\":\"r\",\"invokedFunctionArn\":"       \
    "\"arn:f\",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"Root=1\"}}"
#define SHUTDOWN "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"failure\",\"deadlineMs\":9}"
#define BOTH "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}"
#define WELCOME "{\"functionName\":\"f\",\"functionVersion\":\"$LATEST\",\"handler\":\"h\"}\n"

static void an_external_one_registers_once(void **state)
{
    assert_false(extensions_registered(&extensions));
    struct fake_reply *reply = join("ext", BOTH);
    assert_body(reply, WELCOME);
    assert_true(
        slice_eq(fake_header(reply, "Lambda-Extension-Identifier"), slice_str(external->id)));
    assert_int_equal(external->events, EXTENSION_INVOKE | EXTENSION_SHUTDOWN);
    assert_true(extensions_registered(&extensions));
    assert_int_equal(moves, 1);
    assert_refused(join("ext", BOTH), "Extension.InvalidExtensionState",
                   "State transition from Registered to Registered failed for extension ext. "
                   "Error: State transition is not allowed");
}

static void the_account_is_told_on_request(void **state)
{
    struct fake_send send = {
        .method = "POST",
        .path = "/2020-01-01/extension/register",
        .body = S("{}"),
        .headers = {{S("Lambda-Extension-Name"), S("ext")},
                    {S("lambda-extension-accept-feature"), S("x, accountId")}}};
    assert_body(fake_request(&send), "{\"functionName\":\"f\",\"functionVersion\":\"$LATEST\","
                                     "\"handler\":\"h\",\"accountId\":\"000000000000\"}\n");
    assert_int_equal(external->events, 0);
}

static void registrations_that_are_refused(void **state)
{
    char long_name[LAUNCH_FILE_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_refused(join("", BOTH), "Extension.InvalidExtensionName", "Empty extension name");
    assert_refused(join(long_name, BOTH), "Extension.InvalidExtensionName",
                   "Extension name too long");
    assert_refused(join("in", BOTH), "Extension.InvalidEventType",
                   "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension");
    assert_refused(join("ext", "{\"events\":[\"x\\\"\"]}"), "Extension.InvalidEventType",
                   "x\\\": InvalidEventType");
    const char *malformed[] = {"",
                               "{",
                               "[]",
                               "{\"events\":{}}",
                               "{\"events\":[1]}",
                               "{\"events\":[],\"configurationKeys\":[\"a\"]}"};
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        struct fake_reply *reply = join("ext", malformed[i]);
        assert_int_equal(reply->status, 403);
        assert_non_null(memmem(reply->body.p, reply->body.n, "\"InvalidRequestFormat\"", 22));
    }
    assert_int_equal(external->sm.state, EXTENSION_STARTED);
    assert_int_equal(extensions.n, 1);
    assert_int_equal(moves, 0);
}

static void internal_ones_until_the_init_is_over(void **state)
{
    char name[8];
    for (int i = 1; i < EXTENSIONS_MAX; i++) {
        snprintf(name, sizeof name, "in%d", i);
        assert_body(join(name, "{\"events\":[\"INVOKE\"]}"), WELCOME);
    }
    assert_refused(join("in1", "{}"), "Extension.InvalidExtensionState",
                   "Extension with this name already registered");
    assert_refused(join("more", "{}"), "Extension.TooManyExtensions",
                   "Extension limit (10) reached");
    extensions.open = false;
    assert_refused(join("more", "{}"), "Extension.RegistrationClosed",
                   "Extension registration closed already");
    assert_body(join("ext", "{}"), WELCOME); /* that is for internal ones */
}

static void who_asks_must_be_known(void **state)
{
#define NOBODY "11111111-1111-4111-8111-111111111111"
    static const char *paths[] = {"event/next", "init/error", "exit/error"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_refused(ask(paths[i], "x", "y", ""), "Extension.MissingExtensionIdentifier",
                       "Missing Lambda-Extension-Identifier header");
        assert_refused(ask(paths[i], "Lambda-Extension-Identifier", "y", ""),
                       "Extension.InvalidExtensionIdentifier",
                       "Invalid Lambda-Extension-Identifier");
        assert_refused(ask(paths[i], "Lambda-Extension-Identifier", NOBODY, ""),
                       "Extension.UnknownExtensionIdentifier",
                       i ? "Unknown Lambda-Extension-Identifier" : "Unknown extension " NOBODY);
    }
}

static void events_reach_those_that_asked(void **state)
{
    join("ext", BOTH);
    join("in", "{\"events\":[]}");
    struct extension *internal = extensions.all[1];
    struct fake_reply *first = next_of(external);
    assert_false(extensions_settled(&extensions));
    struct fake_reply *other = next_of(internal);
    assert_true(extensions_settled(&extensions));
    extensions_invoke(&extensions, &invoke);
    assert_body(first, INVOKE);
    assert_true(id_is_uuid(fake_header(first, "Lambda-Extension-Event-Identifier")));
    assert_false(other->answered);
    assert_false(extensions_settled(&extensions));
    struct fake_reply *second = next_of(external);
    assert_true(extensions_settled(&extensions));
    assert_refused(next_of(external), "Extension.InvalidExtensionState",
                   "State transition from Ready to Ready failed for extension ext. Error: State "
                   "transition is not allowed");
    extensions_shutdown(&extensions, "failure", 9);
    assert_body(second, SHUTDOWN);
    assert_false(other->answered);
    assert_false(next_of(external)->answered); /* told once */
}

static void an_event_waits_for_a_lost_connection(void **state)
{
    join("ext", BOTH);
    fake_hang_up(next_of(external));
    assert_true(extensions_settled(&extensions));
    extensions_invoke(&extensions, &invoke);
    assert_false(extensions_settled(&extensions));
    assert_body(next_of(external), INVOKE);
    assert_false(extensions_settled(&extensions));
    fake_hang_up(next_of(external));
    assert_true(extensions_settled(&extensions));
    assert_false(next_of(external)->answered);
}

static void shutdown_waits_for_one_that_is_busy(void **state)
{
    join("ext", BOTH);
    next_of(external);
    extensions_invoke(&extensions, &invoke);
    extensions_shutdown(&extensions, "failure", 9);
    assert_body(next_of(external), SHUTDOWN);
    extension_ended(&extensions, external, 0);
    assert_int_equal(external->sm.state, EXTENSION_EXITED);
    assert_false(extensions_alive(&extensions));
}

static void an_invocation_that_nobody_took_is_void_at_the_end(void **state)
{
    join("ext", BOTH);
    fake_hang_up(next_of(external));
    extensions_invoke(&extensions, &invoke);
    extensions_shutdown(&extensions, "failure", 9);
    assert_body(next_of(external), SHUTDOWN);
    assert_false(next_of(external)->answered); /* told once */
}

/* A process goes by the name that it gives: the file itself could still not be started. */
static void one_that_registered_for_another_does_not_start(void **state)
{
    join("ext", BOTH);
    extension_not_started(external, EACCES);
    assert_false(external->alive);
    assert_string_equal(external->error_type, "PermissionDenied");
}

static void a_bad_exit_is_a_failed_shutdown(void **state)
{
    join("ext", BOTH);
    next_of(external);
    extensions_shutdown(&extensions, "failure", 9);
    extension_ended(&extensions, external, 1 << 8);
    assert_int_equal(external->sm.state, EXTENSION_SHUTDOWN_FAILED);
}

static void an_error_of_the_init(void **state)
{
    join("ext", BOTH);
    assert_refused(ask("init/error", "Lambda-Extension-Identifier", external->id, "{}"),
                   "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
    assert_null(extensions.fatal);
    for (int i = 0; i < 2; i++) /* again is the same */
        assert_int_equal(report("init/error", external)->status, 202);
    assert_string_equal(extensions.fatal, "Extension.InitError");
    assert_string_equal(external->error_type, "Extension.Mine");
    assert_refused(next_of(external), "Extension.InvalidExtensionState",
                   "State transition from InitError to Ready failed for extension ext. Error: "
                   "State transition is not allowed");
    assert_false(extensions_settled(&extensions));
}

static void an_error_that_ends_it(void **state)
{
    join("ext", BOTH);
    next_of(external);
    assert_refused(report("init/error", external), "Extension.InvalidExtensionState",
                   "State transition from Ready to InitError failed for extension ext. Error: "
                   "State transition is not allowed");
    for (int i = 0; i < 2; i++)
        assert_int_equal(report("exit/error", external)->status, 202);
    assert_string_equal(extensions.fatal, "Extension.ExitError");
    extensions_invoke(&extensions, &invoke); /* not for it */
}

/* ---- files ---- */

static char top[64];

static void put(const char *layer, const char *name, mode_t mode)
{
    char path[300];
    snprintf(path, sizeof path, "%s/code/%s", top, layer);
    mkdir(path, 0755);
    for (const char *part = name; (part = strchr(part, '/')); part++) {
        snprintf(path, sizeof path, "%s/code/%s/%.*s", top, layer, (int)(part - name), name);
        mkdir(path, 0755);
    }
    snprintf(path, sizeof path, "%s/code/%s/%s", top, layer, name);
    assert_int_equal(S_ISDIR(mode) ? mkdir(path, 0755) : mknod(path, S_IFREG | mode, 0), 0);
}

static void files_of_all_layers_by_name(void **state)
{
    struct sandbox_spec *spec = NEW(sandbox_spec);
    char path[100];
    snprintf(top, sizeof top, "/tmp/lambkin-extensions-XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(path, sizeof path, "%s/code", top);
    assert_int_equal(mkdir(path, 0755), 0);
    put("one", "extensions/b", 0755);
    put("one", "extensions/a", 0644); /* cannot be started, and that is to be noticed */
    put("one", "extensions/hidden", 0755);
    put("one", "extensions/folder/x", 0755);
    put("two", "extensions/c", 0755);
    put("two", "extensions/b", 0755);
    put("two", "extensions/hidden", S_IFDIR);
    put("three", "python/x", 0644);
    static const char *layers[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++)
        snprintf(spec->layers[i], sizeof spec->layers[i], "%s", layers[i]);
    spec->layer_count = 3;
    struct extension_files *files = extension_files_find(top, spec);
    assert_int_equal(files->n, 3);
    assert_string_equal(files->names[0], "a");
    assert_string_equal(files->names[1], "b");
    assert_string_equal(files->names[2], "c");
    free(files);
    put("four", "extensions", 0644); /* a file hides the folders below */
    snprintf(spec->layers[3], sizeof spec->layers[3], "four");
    spec->layer_count = 4;
    assert_null(extension_files_find(top, spec));
    snprintf(path, sizeof path, "rm -r %s", top);
    assert_int_equal(system(path), 0); // NOLINT(cert-env33-c): of the test's own folder
    free(spec);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_external_one_registers_once),
        T(the_account_is_told_on_request),
        T(registrations_that_are_refused),
        T(internal_ones_until_the_init_is_over),
        T(who_asks_must_be_known),
        T(events_reach_those_that_asked),
        T(an_event_waits_for_a_lost_connection),
        T(shutdown_waits_for_one_that_is_busy),
        T(an_invocation_that_nobody_took_is_void_at_the_end),
        T(one_that_registered_for_another_does_not_start),
        T(a_bad_exit_is_a_failed_shutdown),
        T(an_error_of_the_init),
        T(an_error_that_ends_it),
        T(files_of_all_layers_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
