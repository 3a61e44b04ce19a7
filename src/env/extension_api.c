/* What extensions ask (dataplane.md 3.9): register, next, init/error, exit/error. */
#include "env/extensions.h"

#include "base/mem.h"
#include "env/api_answer.h"
#include "env/report.h"
#include "lambda_api.h"

#include <jansson.h>
#include <stdio.h>

enum { ANSWER_MAX = 8192, MESSAGE_MAX = 1024 };

static void refuse(struct http_request *req, const char *type, struct slice message)
{
    AUTO(buf) struct buf body = BUF_INIT(ANSWER_MAX);
    buf_slice(&body, S("{\"errorMessage\":"));
    report_quote(&body, message);
    buf_printf(&body, ",\"errorType\":\"%s\"}\n", type);
    api_respond(req, 403, buf_all(&body));
}

static void refuse_move(struct http_request *req, const struct extension *extension, unsigned to)
{
    char text[MESSAGE_MAX];
    snprintf(text, sizeof text,
             "State transition from %s to %s failed for extension %s. Error: State transition is "
             "not allowed",
             sm_name(&extension->sm), extension_states[to].name, extension->name);
    refuse(req, "Extension.InvalidExtensionState", slice_str(text));
}

struct extension *extensions_identify(struct extensions *extensions, struct http_request *req,
                                      const char *unknown)
{
    struct slice id = http_header_get(req, S("Lambda-Extension-Identifier"));
    if (!id.n) {
        refuse(req, "Extension.MissingExtensionIdentifier",
               S("Missing Lambda-Extension-Identifier header"));
        return NULL;
    }
    if (!id_is_uuid(id)) {
        refuse(req, "Extension.InvalidExtensionIdentifier",
               S("Invalid Lambda-Extension-Identifier"));
        return NULL;
    }
    for (size_t i = 0; i < extensions->n; i++) {
        if (slice_eq_nocase(slice_str(extensions->all[i]->id), id))
            return extensions->all[i];
    }
    refuse(req, "Extension.UnknownExtensionIdentifier",
           slice_str(unknown ? unknown : "Unknown Lambda-Extension-Identifier"));
    return NULL;
}

/* ---- register ---- */

static struct extension *find(const struct extensions *extensions, struct slice name)
{
    for (size_t i = 0; i < extensions->n; i++) {
        if (slice_eq(slice_str(extensions->all[i]->name), name))
            return extensions->all[i];
    }
    return NULL;
}

static bool wants_account(const struct http_request *req)
{
    struct slice rest = http_header_get(req, S("Lambda-Extension-Accept-Feature"));
    struct slice one;
    while (slice_cut(&rest, ',', &one)) {
        if (slice_eq(slice_trim(one), S("accountId")))
            return true;
    }
    return false;
}

/* False: answered. */
static bool read_event(struct http_request *req, const json_t *value, bool external,
                       unsigned *events)
{
    char text[MESSAGE_MAX];
    const char *name = json_string_value(value);
    if (!name) {
        refuse(req, "InvalidRequestFormat", S("events must be a list of strings"));
        return false;
    }
    const char *reason = NULL;
    if (!strcmp(name, "INVOKE"))
        *events |= EXTENSION_INVOKE;
    else if (strcmp(name, "SHUTDOWN") != 0)
        reason = "InvalidEventType";
    else if (external)
        *events |= EXTENSION_SHUTDOWN;
    else
        reason = "ShutdownEventNotSupportedForInternalExtension";
    if (!reason)
        return true;
    snprintf(text, sizeof text, "%.256s: %s", name, reason);
    refuse(req, "Extension.InvalidEventType", slice_str(text));
    return false;
}

static bool read_document(struct http_request *req, const json_t *root, bool external,
                          unsigned *events)
{
    const json_t *list = json_object_get(root, "events");
    const json_t *keys = json_object_get(root, "configurationKeys");
    if (!json_is_object(root) || (list && !json_is_array(list) && !json_is_null(list))) {
        refuse(req, "InvalidRequestFormat", S("The body is no object with a list of events"));
        return false;
    }
    if (json_array_size(keys) || (keys && !json_is_array(keys) && !json_is_null(keys))) {
        refuse(req, "InvalidRequestFormat", S("configurationKeys are not supported"));
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!read_event(req, json_array_get(list, i), external, events))
            return false;
    }
    return true;
}

/* False: answered. */
static bool read_body(struct http_request *req, bool external, unsigned *events)
{
    json_error_t error;
    json_t *root = json_loadb(req->body.p ? req->body.p : "", req->body.n, 0, &error);
    if (!root) {
        refuse(req, "InvalidRequestFormat", slice_str(error.text));
        return false;
    }
    bool fine = read_document(req, root, external, events);
    json_decref(root);
    return fine;
}

/* An internal one comes into being by registering. NULL: answered. */
static struct extension *add_internal(struct extensions *extensions, struct http_request *req,
                                      struct slice name)
{
    if (!extensions->open) {
        refuse(req, "Extension.RegistrationClosed", S("Extension registration closed already"));
        return NULL;
    }
    struct extension *extension = extensions_add(extensions, name);
    if (!extension)
        refuse(req, "Extension.TooManyExtensions", S("Extension limit (10) reached"));
    return extension;
}

static void welcome(const struct extensions *extensions, const struct extension *extension,
                    struct http_request *req)
{
    AUTO(buf) struct buf body = BUF_INIT(ANSWER_MAX);
    const struct function *fn = extensions->fn;
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("Lambda-Extension-Identifier"), slice_str(extension->id)},
    };
    buf_slice(&body, S("{\"functionName\":"));
    report_quote(&body, fn->name);
    buf_slice(&body, S(",\"functionVersion\":"));
    report_quote(&body, fn->version);
    buf_slice(&body, S(",\"handler\":"));
    report_quote(&body, fn->config->Handler.p ? fn->config->Handler : S(""));
    if (wants_account(req)) {
        buf_slice(&body, S(",\"accountId\":"));
        report_quote(&body, fn->account);
    }
    buf_slice(&body, S("}\n"));
    http_respond(req, &(struct http_response){.status = 200,
                                              .headers = headers,
                                              .header_count = COUNT_OF(headers),
                                              .body = buf_all(&body)});
}

static void on_register(struct extensions *extensions, struct http_request *req)
{
    struct slice name = http_header_get(req, S("Lambda-Extension-Name"));
    struct extension *extension = find(extensions, name);
    bool external = extension && extension->external;
    unsigned events = 0;
    if (!name.n || name.n > LAUNCH_FILE_MAX) {
        refuse(req, "Extension.InvalidExtensionName",
               name.n ? S("Extension name too long") : S("Empty extension name"));
        return;
    }
    if (!read_body(req, external, &events))
        return;
    if (extension && !external) {
        refuse(req, "Extension.InvalidExtensionState",
               S("Extension with this name already registered"));
        return;
    }
    if (external && extension->sm.state != EXTENSION_STARTED) {
        refuse_move(req, extension, EXTENSION_REGISTERED);
        return;
    }
    if (!extension)
        extension = add_internal(extensions, req, name);
    if (!extension)
        return;
    extension->events = events;
    id_uuid(extension->id);
    sm_move(&extension->sm, EXTENSION_REGISTERED);
    welcome(extensions, extension, req);
    extensions->on_moved(extensions->arg);
}

/* ---- next ---- */

static void hand_over(struct extensions *extensions, struct extension *extension)
{
    char id[ID_UUID_LEN + 1];
    id_uuid(id);
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("Lambda-Extension-Event-Identifier"), slice_str(id)},
    };
    struct http_request *req = STEAL(extension->waiting);
    extension->due = false;
    http_respond(req, &(struct http_response){.status = 200,
                                              .headers = headers,
                                              .header_count = COUNT_OF(headers),
                                              .body = buf_all(&extensions->event)});
}

void extension_release(struct extensions *extensions, struct extension *extension)
{
    sm_move(&extension->sm, EXTENSION_RUNNING);
    extension->due = true;
    extension->told = extensions->ending;
    if (extension->waiting)
        hand_over(extensions, extension);
}

/* Of the state Ready there are two kinds: it waits, or its connection was lost and it asks again.
 */
static void on_next(struct extensions *extensions, struct extension *extension,
                    struct http_request *req)
{
    bool may = extension->sm.state == EXTENSION_REGISTERED ||
               extension->sm.state == EXTENSION_RUNNING ||
               (extension->sm.state == EXTENSION_READY && !extension->waiting);
    if (!may) {
        refuse_move(req, extension, EXTENSION_READY);
        return;
    }
    extension->waiting = req;
    if (extension->due) {
        hand_over(extensions, extension);
        return;
    }
    if (extension->sm.state != EXTENSION_READY)
        sm_move(&extension->sm, EXTENSION_READY);
    if (extensions->ending && !extension->told && (extension->events & EXTENSION_SHUTDOWN))
        extension_release(extensions, extension);
    else
        extensions->on_moved(extensions->arg);
}

/* ---- errors ---- */

static void on_error(struct extensions *extensions, struct extension *extension,
                     struct http_request *req, unsigned to)
{
    struct slice type = http_header_get(req, S("Lambda-Extension-Function-Error-Type"));
    if (!type.n) {
        refuse(req, "Extension.MissingHeader", S("Lambda-Extension-Function-Error-Type not found"));
        return;
    }
    if (extension->sm.state != to) {
        if (!(extension_states[extension->sm.state].to & SM_TO(to))) {
            refuse_move(req, extension, to);
            return;
        }
        sm_move(&extension->sm, to);
        snprintf(extension->error_type, sizeof extension->error_type, "%.*s", FMT(type));
        if (!extensions->fatal)
            extensions->fatal =
                to == EXTENSION_INIT_ERROR ? "Extension.InitError" : "Extension.ExitError";
    }
    api_respond_ok(req);
}

void extensions_request(struct extensions *extensions, struct http_request *req,
                        enum api_route route)
{
    char unknown[80];
    struct slice id = http_header_get(req, S("Lambda-Extension-Identifier"));
    if (route == ROUTE_EXTENSION_REGISTER) {
        on_register(extensions, req);
        return;
    }
    bool next = route == ROUTE_EXTENSION_NEXT;
    snprintf(unknown, sizeof unknown, "Unknown extension %.*s",
             (int)slice_sub(id, 0, ID_UUID_LEN).n, id.p ? id.p : "");
    struct extension *extension = extensions_identify(extensions, req, next ? unknown : NULL);
    if (!extension)
        return;
    if (next)
        on_next(extensions, extension, req);
    else
        on_error(extensions, extension, req,
                 route == ROUTE_EXTENSION_INIT_ERROR ? EXTENSION_INIT_ERROR : EXTENSION_EXIT_ERROR);
}

void extensions_abort(struct extensions *extensions, const struct http_request *req)
{
    for (size_t i = 0; i < extensions->n; i++) {
        if (extensions->all[i]->waiting == req)
            extensions->all[i]->waiting = NULL;
    }
}
