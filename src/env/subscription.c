#include "env/subscription.h"

#include "base/mem.h"
#include "codec/json_check.h"
#include "launch/proto.h"

#include <jansson.h>

/* VALUES_MAX: a sane document has about fifteen values. */
enum { VALUES_MAX = 200 };

static const struct schema {
    const char *version;
    enum subscription_api api;
    enum report_form form;
} schemas[] = {
    {"2022-07-01", API_TELEMETRY, REPORT_FORM_2022_07},
    {"2022-12-13", API_TELEMETRY, REPORT_JSON},
    {"2025-01-29", API_TELEMETRY, REPORT_JSON},
    {"2020-08-15", API_LOGS, REPORT_FORM_LOGS_2020},
    {"2021-03-18", API_LOGS, REPORT_FORM_LOGS_2021},
};

static const struct type {
    struct slice name;
    unsigned bit;
} types[] = {
    {S_INIT("platform"), TYPE_PLATFORM},
    {S_INIT("function"), TYPE_FUNCTION},
    {S_INIT("extension"), TYPE_EXTENSION},
};

/* Limits and defaults of dataplane.md 3.8; of the two defaults for maxItems there, the one that
 * bundles more. */
static const struct limit {
    const char *name;
    uint32_t least, most, usual;
    size_t member;
} limits[] = {
    {"maxItems", 1000, 10000, 10000, offsetof(struct subscription, max_items)},
    {"maxBytes", 262144, 1048576, 262144, offsetof(struct subscription, max_bytes)},
    {"timeoutMs", 25, 30000, 1000, offsetof(struct subscription, timeout_ms)},
};

static void fault(struct buf *faults, const char *text)
{
    if (faults->n)
        buf_slice(faults, S("; "));
    buf_slice(faults, slice_str(text));
}

/* Absent if it is no string. */
static struct slice text_of(const json_t *value)
{
    return json_is_string(value)
               ? (struct slice){json_string_value(value), json_string_length(value)}
               : (struct slice){NULL, 0};
}

static void read_schema(const json_t *document, struct subscription *out, struct buf *faults)
{
    const json_t *value = json_object_get(document, "schemaVersion");
    struct slice version = text_of(value);
    if (!value && out->api == API_LOGS)
        version = S("2020-08-15");
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        if (schemas[i].api == out->api && slice_eq(version, slice_str(schemas[i].version))) {
            out->form = schemas[i].form;
            return;
        }
    }
    fault(faults, value ? "schemaVersion is not supported" : "schemaVersion is not provided");
}

/* What goes into a request line. */
static bool is_path(struct slice path)
{
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] <= ' ' || path.p[i] > '~' || path.p[i] == '#')
            return false;
    }
    return path.n < SUBSCRIPTION_PATH_MAX;
}

static void read_port(uint64_t port, struct subscription *out, struct buf *faults)
{
    if (port == 0 || port > UINT16_MAX)
        fault(faults, "port must be between 1 and 65535");
    else if (port == LAUNCH_RUNTIME_PORT || port == LAUNCH_ENDPOINT_PORT)
        fault(faults, "port is reserved");
    else
        out->port = (uint16_t)port;
}

/* http://sandbox.localdomain:PORT[/path]: an address in the environment and nothing else. */
static void read_uri(struct slice uri, struct subscription *out, struct buf *faults)
{
    struct slice scheme = S("http://");
    if (!slice_eq_nocase(slice_sub(uri, 0, scheme.n), scheme)) {
        fault(faults, uri.p ? "URI scheme must be http" : "URI is not provided");
        return;
    }
    struct slice rest = slice_sub(uri, scheme.n, uri.n);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    struct slice path = slice_sub(rest, end, rest.n);
    struct slice host = {NULL, 0};
    struct slice port = slice_sub(rest, 0, end);
    slice_cut(&port, ':', &host);
    if (!slice_eq_nocase(host, S("sandbox.localdomain")) && !slice_eq_nocase(host, S("sandbox")))
        fault(faults, "URI host must be sandbox.localdomain");
    uint64_t number = 0;
    if (port.n == 0)
        fault(faults, "URI port is not provided");
    else if (!slice_u64(port, &number))
        fault(faults, "URI port is not a number");
    else
        read_port(number, out, faults);
    if (is_path(path))
        snprintf(out->path, sizeof out->path, "%s%.*s", slice_starts(path, S("/")) ? "" : "/",
                 FMT(path));
    else
        fault(faults, "URI path is not valid");
}

static void read_http(const json_t *destination, struct subscription *out, struct buf *faults)
{
    const json_t *method = json_object_get(destination, "method");
    const json_t *encoding = json_object_get(destination, "encoding");
    out->http = true;
    read_uri(text_of(json_object_get(destination, "URI")), out, faults);
    out->put = slice_eq(text_of(method), S("PUT"));
    if (method && !out->put && !slice_eq(text_of(method), S("POST")))
        fault(faults, "method must be POST or PUT");
    if (encoding && !slice_eq(text_of(encoding), S("JSON")))
        fault(faults, "encoding must be JSON");
}

static void read_tcp(const json_t *destination, struct subscription *out, struct buf *faults)
{
    const json_t *port = json_object_get(destination, "port");
    if (!json_is_integer(port))
        fault(faults, port ? "port must be a number" : "port is not provided");
    else
        read_port(json_integer_value(port) < 0 ? 0 : (uint64_t)json_integer_value(port), out,
                  faults);
}

static void read_destination(const json_t *document, struct subscription *out, struct buf *faults)
{
    const json_t *destination = json_object_get(document, "destination");
    struct slice protocol = text_of(json_object_get(destination, "protocol"));
    if (!json_is_object(destination))
        fault(faults, "destination is not provided");
    else if (slice_eq(protocol, S("HTTP")))
        read_http(destination, out, faults);
    else if (slice_eq(protocol, S("TCP")))
        read_tcp(destination, out, faults);
    else
        fault(faults, "protocol must be HTTP or TCP");
}

static unsigned type_bit(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (slice_eq(name, types[i].name))
            return types[i].bit;
    }
    return 0;
}

static void read_types(const json_t *document, struct subscription *out, struct buf *faults)
{
    const json_t *list = json_object_get(document, "types");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        fault(faults, "types should not be empty");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        unsigned bit = type_bit(text_of(json_array_get(list, i)));
        if (!bit) {
            fault(faults, "types must be platform, function or extension");
            return;
        }
        out->types |= bit;
    }
}

static void read_buffering(const json_t *document, struct subscription *out, struct buf *faults)
{
    const json_t *buffering = json_object_get(document, "buffering");
    if (buffering && !json_is_object(buffering) && !json_is_null(buffering))
        fault(faults, "buffering must be an object");
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        const struct limit *limit = &limits[i];
        const json_t *value = json_object_get(buffering, limit->name);
        json_int_t number = value ? json_integer_value(value) : limit->usual;
        uint32_t *member = (uint32_t *)(void *)((char *)out + limit->member);
        if ((value && !json_is_integer(value)) || number < limit->least || number > limit->most) {
            char text[80];
            snprintf(text, sizeof text, "%s must be between %u and %u", limit->name, limit->least,
                     limit->most);
            fault(faults, text);
        } else {
            *member = (uint32_t)number;
        }
    }
}

bool subscription_parse(struct slice document, enum subscription_api api, struct subscription *out,
                        struct buf *faults)
{
    struct subscription read = {.api = api};
    bool sane = json_weight(document, VALUES_MAX) < VALUES_MAX;
    json_t *root = sane && document.n ? json_loadb(document.p, document.n, 0, NULL) : NULL;
    if (json_is_object(root)) {
        read_schema(root, &read, faults);
        read_destination(root, &read, faults);
        read_types(root, &read, faults);
        read_buffering(root, &read, faults);
    } else {
        fault(faults, "the body must be a JSON object");
    }
    json_decref(root);
    if (faults->n)
        return false;
    *out = read;
    return true;
}

size_t subscription_type_names(unsigned bits, struct slice out[REPORT_ITEMS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (bits & types[i].bit)
            out[n++] = types[i].name;
    }
    return n;
}
