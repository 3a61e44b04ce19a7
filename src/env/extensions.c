#include "env/extensions.h"

#include "base/mem.h"
#include "env/report.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

/*  Started --register--> Registered --next--> Ready --event--> Running --next--> Ready
 *  A failed one posts why (InitError, ExitError) and ends; one that was told to end is Exited or
 *  ShutdownFailed. */
const struct sm_state extension_states[] = {
    [EXTENSION_STARTED] = {"Started", SM_TO(EXTENSION_REGISTERED) | SM_TO(EXTENSION_LAUNCH_ERROR)},
    [EXTENSION_REGISTERED] = {"Registered", SM_TO(EXTENSION_READY) | SM_TO(EXTENSION_INIT_ERROR) |
                                                SM_TO(EXTENSION_EXIT_ERROR)},
    [EXTENSION_READY] = {"Ready", SM_TO(EXTENSION_RUNNING) | SM_TO(EXTENSION_EXIT_ERROR)},
    [EXTENSION_RUNNING] = {"Running", SM_TO(EXTENSION_READY) | SM_TO(EXTENSION_EXIT_ERROR) |
                                          SM_TO(EXTENSION_EXITED) |
                                          SM_TO(EXTENSION_SHUTDOWN_FAILED)},
    [EXTENSION_INIT_ERROR] = {"InitError", 0},
    [EXTENSION_EXIT_ERROR] = {"ExitError", 0},
    [EXTENSION_SHUTDOWN_FAILED] = {"ShutdownFailed", 0},
    [EXTENSION_EXITED] = {"Exited", 0},
    [EXTENSION_LAUNCH_ERROR] = {"LaunchError", 0},
    {NULL, 0},
};

void extensions_init(struct extensions *extensions, const struct function *fn,
                     void (*on_moved)(void *arg), void *arg)
{
    *extensions = (struct extensions){
        .fn = fn, .on_moved = on_moved, .arg = arg, .event = BUF_INIT(EXTENSION_EVENT_MAX)};
}

void extensions_clear(struct extensions *extensions)
{
    for (size_t i = 0; i < extensions->n; i++)
        free(STEAL(extensions->all[i]));
    extensions->n = 0;
    extensions->ending = false;
    extensions->fatal = NULL;
    buf_free(&extensions->event);
}

struct extension *extensions_add(struct extensions *extensions, struct slice name)
{
    if (extensions->n == EXTENSIONS_MAX)
        return NULL;
    struct extension *extension = NEW(extension);
    must(name.n < sizeof extension->name);
    memcpy(extension->name, name.p, name.n);
    sm_init(&extension->sm, extension_states, "extension", (uint64_t)(uintptr_t)extension);
    extensions->all[extensions->n++] = extension;
    return extension;
}

bool extensions_registered(const struct extensions *extensions)
{
    for (size_t i = 0; i < extensions->n; i++) {
        unsigned state = extensions->all[i]->sm.state;
        if (state == EXTENSION_STARTED || state == EXTENSION_LAUNCH_ERROR)
            return false;
    }
    return true;
}

/* An internal one that has given up ends with the runtime; an external one ends by itself. */
static bool is_settled(const struct extension *extension)
{
    return extension->sm.state == EXTENSION_READY ||
           (extension->sm.state == EXTENSION_EXIT_ERROR && !extension->external);
}

bool extensions_settled(const struct extensions *extensions)
{
    for (size_t i = 0; i < extensions->n; i++) {
        if (!is_settled(extensions->all[i]))
            return false;
    }
    return true;
}

bool extensions_alive(const struct extensions *extensions)
{
    for (size_t i = 0; i < extensions->n; i++) {
        if (extensions->all[i]->alive)
            return true;
    }
    return false;
}

void extensions_invoke(struct extensions *extensions, const struct extensions_invoke *invoke)
{
    struct buf *event = &extensions->event;
    buf_clear(event);
    buf_slice(event, S("{\"eventType\":\"INVOKE\",\"deadlineMs\":"));
    buf_u64(event, invoke->deadline_ms);
    buf_slice(event, S(",\"requestId\":"));
    report_quote(event, invoke->request_id);
    buf_slice(event, S(",\"invokedFunctionArn\":"));
    report_quote(event, invoke->arn);
    buf_slice(event, S(",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":"));
    report_quote(event, invoke->trace_id);
    buf_slice(event, S("}}"));
    for (size_t i = 0; i < extensions->n; i++) {
        struct extension *extension = extensions->all[i];
        if (extension->sm.state == EXTENSION_READY && (extension->events & EXTENSION_INVOKE))
            extension_release(extensions, extension);
    }
}

void extensions_shutdown(struct extensions *extensions, const char *reason, uint64_t deadline_ms)
{
    struct buf *event = &extensions->event;
    extensions->ending = true;
    buf_clear(event);
    buf_printf(event, "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"%s\",\"deadlineMs\":%llu}",
               reason, (unsigned long long)deadline_ms);
    for (size_t i = 0; i < extensions->n; i++) {
        struct extension *extension = extensions->all[i];
        extension->due = false; /* an INVOKE that was not taken is void */
        if (extension->sm.state == EXTENSION_READY && (extension->events & EXTENSION_SHUTDOWN))
            extension_release(extensions, extension);
    }
}

void extension_ended(struct extensions *extensions, struct extension *extension, int status)
{
    extension->alive = false;
    if (!extensions->ending || extension->sm.state != EXTENSION_RUNNING)
        return;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    sm_move(&extension->sm, well ? EXTENSION_EXITED : EXTENSION_SHUTDOWN_FAILED);
}

void extension_not_started(struct extension *extension, int os)
{
    bool denied = os == EACCES || os == EPERM;
    extension->alive = false;
    if (extension->sm.state == EXTENSION_STARTED) /* another may have registered by its name */
        sm_move(&extension->sm, EXTENSION_LAUNCH_ERROR);
    snprintf(extension->error_type, sizeof extension->error_type, "%s",
             denied ? "PermissionDenied" : "UnknownError");
}
