/* Documents of the Telemetry API and the Logs API, and the events that they may ask for. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "env/report.h"
#include "env/subscription.h"

static struct subscription got;

static void takes(enum subscription_api api, const char *document)
{
    AUTO(buf) struct buf faults = BUF_INIT(SUBSCRIPTION_FAULTS_MAX);
    got = (struct subscription){0};
    bool taken = subscription_parse(slice_str(document), api, &got, &faults);
    if (!taken)
        print_error("%.*s\n", FMT(buf_all(&faults)));
    assert_true(taken);
}

static void refuses(enum subscription_api api, const char *document, const char *why)
{
    AUTO(buf) struct buf faults = BUF_INIT(SUBSCRIPTION_FAULTS_MAX);
    got = (struct subscription){0};
    assert_false(subscription_parse(slice_str(document), api, &got, &faults));
    if (!slice_eq(buf_all(&faults), slice_str(why)))
        print_error("%s: %.*s\n", document, FMT(buf_all(&faults)));
    assert_true(slice_eq(buf_all(&faults), slice_str(why)));
    assert_int_equal(got.port, 0);
}

static void telemetry_with_everything(void **state)
{
    takes(
        API_TELEMETRY,
        "{\"schemaVersion\":\"2022-12-13\",\"types\":[\"extension\",\"platform\"],"
        "\"buffering\":{\"maxItems\":1000,\"maxBytes\":1048576,\"timeoutMs\":25},"
        "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox.localdomain:8080/a?b\"}}");
    assert_int_equal(got.api, API_TELEMETRY);
    assert_int_equal(got.form, REPORT_JSON);
    assert_int_equal(got.types, TYPE_PLATFORM | TYPE_EXTENSION);
    assert_true(got.http && !got.put);
    assert_int_equal(got.port, 8080);
    assert_string_equal(got.path, "/a?b");
    assert_int_equal(got.max_items, 1000);
    assert_int_equal(got.max_bytes, 1048576);
    assert_int_equal(got.timeout_ms, 25);
}

static void what_is_left_out_has_defaults(void **state)
{
    takes(API_LOGS, "{\"types\":[\"function\"],\"destination\":{\"protocol\":\"TCP\",\"port\":1}}");
    assert_int_equal(got.form, REPORT_FORM_LOGS_2020);
    assert_int_equal(got.types, TYPE_FUNCTION);
    assert_false(got.http);
    assert_int_equal(got.port, 1);
    assert_int_equal(got.max_items, 10000);
    assert_int_equal(got.max_bytes, 262144);
    assert_int_equal(got.timeout_ms, 1000);
}

static void a_uri_without_path_means_the_root(void **state)
{
    takes(API_LOGS, "{\"schemaVersion\":\"2021-03-18\",\"types\":[\"platform\"],\"destination\":{"
                    "\"protocol\":\"HTTP\",\"URI\":\"HTTP://sandbox:65535\",\"method\":\"PUT\","
                    "\"encoding\":\"JSON\"}}");
    assert_int_equal(got.form, REPORT_FORM_LOGS_2021);
    assert_string_equal(got.path, "/");
    assert_true(got.put);
    takes(API_LOGS, "{\"types\":[\"platform\"],\"destination\":{"
                    "\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:1?x\"}}");
    assert_string_equal(got.path, "/?x");
}

static void schemas_belong_to_their_api(void **state)
{
#define REST ",\"types\":[\"platform\"],\"destination\":{\"protocol\":\"TCP\",\"port\":8080}}"
    takes(API_TELEMETRY, "{\"schemaVersion\":\"2022-07-01\"" REST);
    assert_int_equal(got.form, REPORT_FORM_2022_07);
    takes(API_TELEMETRY, "{\"schemaVersion\":\"2025-01-29\"" REST);
    refuses(API_TELEMETRY, "{\"x\":1" REST, "schemaVersion is not provided");
    refuses(API_TELEMETRY, "{\"schemaVersion\":\"2021-03-18\"" REST,
            "schemaVersion is not supported");
    refuses(API_LOGS, "{\"schemaVersion\":\"2022-07-01\"" REST, "schemaVersion is not supported");
    refuses(API_LOGS, "{\"schemaVersion\":7" REST, "schemaVersion is not supported");
}

/* The first message is the one in AWS's documentation. */
static void all_faults_are_told_at_once(void **state)
{
    refuses(API_TELEMETRY,
            "{\"schemaVersion\":\"2022-07-01\",\"types\":[],\"destination\":{\"protocol\":\"HTTP\","
            "\"URI\":\"http://sandbox.localdomain\"}}",
            "URI port is not provided; types should not be empty");
    refuses(API_LOGS,
            "{\"types\":[\"x\"],\"buffering\":{\"maxItems\":999,\"maxBytes\":1048577,"
            "\"timeoutMs\":\"1\"}}",
            "destination is not provided; types must be platform, function or extension; maxItems "
            "must be between 1000 and 10000; maxBytes must be between 262144 and 1048576; "
            "timeoutMs must be between 25 and 30000");
    refuses(API_LOGS, "[]", "the body must be a JSON object");
    refuses(API_LOGS, "{", "the body must be a JSON object");
    refuses(API_LOGS, "", "the body must be a JSON object");
}

static void only_the_sandbox_is_a_destination(void **state)
{
    static const char *const cases[][2] = {
        {"\"protocol\":\"HTTP\",\"URI\":\"http://169.254.169.254:80/\"",
         "URI host must be sandbox.localdomain"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://a@sandbox:80/\"",
         "URI host must be sandbox.localdomain"},
        {"\"protocol\":\"HTTP\",\"URI\":\"https://sandbox:80/\"", "URI scheme must be http"},
        {"\"protocol\":\"HTTP\",\"URI\":7", "URI is not provided"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:+1/\"", "URI port is not a number"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:65536\"",
         "port must be between 1 and 65535"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:9001\"", "port is reserved"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:1/ \\r\\nX: y\"", "URI path is not valid"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:1/\",\"method\":\"GET\"",
         "method must be POST or PUT"},
        {"\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:1/\",\"encoding\":\"CBOR\"",
         "encoding must be JSON"},
        {"\"protocol\":\"TCP\",\"port\":9001", "port is reserved"},
        {"\"protocol\":\"TCP\",\"port\":-1", "port must be between 1 and 65535"},
        {"\"protocol\":\"TCP\",\"port\":\"80\"", "port must be a number"},
        {"\"protocol\":\"TCP\"", "port is not provided"},
        {"\"protocol\":\"UDP\",\"port\":80", "protocol must be HTTP or TCP"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf) struct buf text = BUF_INIT(1024);
        buf_printf(&text, "{\"types\":[\"platform\"],\"destination\":{%s}}", cases[i][0]);
        buf_char(&text, '\0');
        refuses(API_LOGS, text.p, cases[i][1]);
    }
}

/* ---- events ---- */

static void writes(report_writer *writer, enum report_form form, const struct report *report,
                   const char *want)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    const struct report_style style = {.form = form, .floor = REPORT_DEBUG};
    writer(&out, &style, report);
    if (!slice_eq(buf_all(&out), slice_str(want)))
        print_error("%.*s\n%s\n", FMT(buf_all(&out)), want);
    assert_true(slice_eq(buf_all(&out), slice_str(want)));
}

#define TIME "{\"time\":\"2024-03-04T17:37:38.033Z\",\"type\":\"platform."

static void extensions_are_announced(void **state)
{
    struct report report = {.name = S("ext"),
                            .state = S("Ready"),
                            .items = {S_INIT("INVOKE"), S_INIT("SHUTDOWN")},
                            .item_count = 2};
    writes(report_extension, REPORT_TEXT, &report,
           "EXTENSION\tName: ext\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n");
    writes(report_extension, REPORT_JSON, &report,
           TIME "extension\",\"record\":{\"name\":\"ext\",\"state\":\"Ready\",\"events\":["
                "\"INVOKE\",\"SHUTDOWN\"]}}\n");
    report.item_count = 0;
    report.state = S("LaunchError");
    report.error_type = S("Extension.LaunchError");
    writes(report_extension, REPORT_TEXT, &report,
           "EXTENSION\tName: ext\tState: LaunchError\tEvents: []\tError Type: "
           "Extension.LaunchError\n");
}

static void subscriptions_are_announced(void **state)
{
    struct report report = {.name = S("ext"),
                            .state = S("Subscribed"),
                            .items = {S_INIT("platform"), S_INIT("function")},
                            .item_count = 2};
    writes(report_telemetry_subscription, REPORT_TEXT, &report,
           "TELEMETRY\tName: ext\tState: Subscribed\tTypes: [Platform, Function]\n");
    writes(report_logs_subscription, REPORT_TEXT, &report,
           "LOGS\tName: ext\tState: Subscribed\tTypes: [Platform, Function]\n");
    writes(report_telemetry_subscription, REPORT_JSON, &report,
           TIME "telemetrySubscription\",\"record\":{\"name\":\"ext\",\"state\":\"Subscribed\","
                "\"types\":[\"platform\",\"function\"]}}\n");
}

static void the_logs_api_has_older_events(void **state)
{
    const struct report call = {.request_id = S("id"),
                                .version = S("1"),
                                .trace = S("Root=1"),
                                .memory_mb = 128,
                                .peak_mb = 36,
                                .duration_ns = 3010000,
                                .status = REPORT_ERROR,
                                .error_type = S("Runtime.ExitError"),
                                .crash = S("Runtime exited"),
                                .crash_type = S("Runtime.ExitError")};
    writes(report_init_start, REPORT_FORM_LOGS_2021, &call, "");
    writes(report_init_report, REPORT_FORM_LOGS_2021, &call, "");
    writes(report_start, REPORT_FORM_LOGS_2020, &call,
           TIME "start\",\"record\":{\"requestId\":\"id\",\"version\":\"1\"}}\n");
    writes(report_runtime_done, REPORT_FORM_LOGS_2020, &call, "");
    writes(report_runtime_done, REPORT_FORM_LOGS_2021, &call,
           TIME "runtimeDone\",\"record\":{\"requestId\":\"id\",\"status\":\"error\"}}\n");
    writes(report_end, REPORT_FORM_LOGS_2020, &call,
           TIME "end\",\"record\":{\"requestId\":\"id\"}}\n");
    writes(report_report, REPORT_FORM_LOGS_2020, &call,
           TIME "report\",\"record\":{\"requestId\":\"id\",\"metrics\":{\"durationMs\":3.01,"
                "\"billedDurationMs\":4,\"memorySizeMB\":128,\"maxMemoryUsedMB\":36}}}\n");
    writes(report_crash, REPORT_FORM_LOGS_2020, &call,
           TIME
           "fault\",\"record\":\"RequestId: id Error: Runtime exited\\nRuntime.ExitError\"}\n");
    writes(report_crash, REPORT_JSON, &call, "");
}

static void spans_and_tracing_are_told(void **state)
{
    const struct report call = {.request_id = S("id"),
                                .trace = S("Root=1"),
                                .duration_ns = 3010000,
                                .produced = 2,
                                .spans = {{"responseLatency", UINT64_C(1709573858033), 1500000}},
                                .span_count = 1};
#define TRACING ",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"Root=1\"}"
    writes(
        report_runtime_done, REPORT_JSON, &call,
        TIME
        "runtimeDone\",\"record\":{\"requestId\":\"id\",\"status\":\"success\",\"metrics\":{"
        "\"durationMs\":3.01,\"producedBytes\":2},\"spans\":[{\"name\":"
        "\"responseLatency\",\"start\":\"2024-03-04T17:37:38.033Z\",\"durationMs\":1.50}]" TRACING
        "}}\n");
    writes(report_start, REPORT_JSON, &call,
           TIME "start\",\"record\":{\"requestId\":\"id\"" TRACING "}}\n");
}

static void the_first_schema_has_no_status_of_inits(void **state)
{
    const struct report init = {.duration_ns = 10000};
#define INIT TIME "initReport\",\"record\":{\"initializationType\":\"on-demand\",\"phase\":\"init\""
#define METRICS ",\"metrics\":{\"durationMs\":0.01}}}\n"
    writes(report_init_report, REPORT_FORM_2022_07, &init, INIT METRICS);
    writes(report_init_report, REPORT_JSON, &init, INIT ",\"status\":\"success\"" METRICS);
}

static void provisioned_inits_are_told_apart(void **state)
{
    struct report init = {.duration_ns = 10000};
    writes(report_init_report, REPORT_TEXT, &init, "");
    init.provisioned = true;
    writes(report_init_report, REPORT_TEXT, &init,
           "INIT_REPORT Init Duration: 0.01 ms\tPhase: init\tStatus: success\n");
    writes(report_init_report, REPORT_FORM_2022_07, &init,
           TIME "initReport\",\"record\":{\"initializationType\":\"provisioned-concurrency\","
                "\"phase\":\"init\"" METRICS);
}

static void strings_are_always_json(void **state)
{
    AUTO(buf) struct buf out = BUF_INIT(100);
    report_quote(&out, S("a\"\\\n\t\x01\xc3\xa4\xff\xc3"));
    assert_true(
        slice_eq(buf_all(&out), S("\"a\\\"\\\\\\n\\t\\u0001\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\"")));
}

static int stop_the_clock(void **state)
{
    clock_freeze(1, UINT64_C(1709573858033));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telemetry_with_everything),
        cmocka_unit_test(what_is_left_out_has_defaults),
        cmocka_unit_test(a_uri_without_path_means_the_root),
        cmocka_unit_test(schemas_belong_to_their_api),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(only_the_sandbox_is_a_destination),
        cmocka_unit_test(extensions_are_announced),
        cmocka_unit_test(subscriptions_are_announced),
        cmocka_unit_test(the_logs_api_has_older_events),
        cmocka_unit_test(spans_and_tracing_are_told),
        cmocka_unit_test(the_first_schema_has_no_status_of_inits),
        cmocka_unit_test(provisioned_inits_are_told_apart),
        cmocka_unit_test(strings_are_always_json),
    };
    return cmocka_run_group_tests(tests, stop_the_clock, NULL);
}
