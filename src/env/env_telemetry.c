/* Subscriptions to the Telemetry API and the Logs API: their requests, and the connections into the
 * sandbox over which they are served (dataplane.md 3.8). */
#include "env/env_inside.h"

#include "base/mem.h"
#include "env/api_answer.h"
#include "env/journal.h"

/* A subscriber that takes nothing holds freezing up for so long. */
enum { FLUSH_MS = 200 };

bool env_flush(struct env *env)
{
    if (env->flushing || !telemetry_flush(env->telemetry))
        return false;
    env->flushing = true;
    env_arm_ms(env, FLUSH_MS);
    return true;
}

void env_freeze(struct env *env)
{
    telemetry_pause(env->telemetry, true);
    sandbox_freeze(env->sandbox, true);
    sm_move(&env->sm, FROZEN);
}

void env_thaw(struct env *env)
{
    sandbox_freeze(env->sandbox, false);
    telemetry_pause(env->telemetry, false);
    sm_move(&env->sm, READY);
}

void env_connect(void *arg, uint32_t ticket, uint16_t port)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    if (env->sandbox)
        sandbox_connect(env->sandbox, ticket, port);
}

void env_on_connected(void *arg, uint32_t ticket, int fd)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    telemetry_connected(env->telemetry, ticket, fd);
}

static void refuse(struct http_request *req, enum subscription_api api, struct slice faults)
{
    char message[SUBSCRIPTION_FAULTS_MAX + 1];
    snprintf(message, sizeof message, "%.*s", FMT(faults));
    api_respond_error(req, 400, api == API_LOGS ? "Logs.ValidationError" : "ValidationError",
                      message);
}

static void refuse_closed(struct http_request *req, enum subscription_api api)
{
    if (api == API_LOGS)
        api_respond_error(req, 403, "Logs.SubscriptionClosed", "Logs API subscription is closed");
    else
        api_respond_error(req, 403, "Telemetry.SubscriptionClosed",
                          "Telemetry API subscription is closed");
}

void env_on_subscription(void *arg, struct http_request *req, enum api_route route)
{
    struct env *env = CAST(env, arg, ENV_MAGIC);
    AUTO(buf) struct buf faults = BUF_INIT(SUBSCRIPTION_FAULTS_MAX);
    enum subscription_api api = route == ROUTE_LOGS ? API_LOGS : API_TELEMETRY;
    struct subscription got;
    const struct extension *extension = extensions_identify(&env->extensions, req, NULL);
    if (!extension)
        return;
    struct slice name = slice_str(extension->name);
    enum telemetry_answer answer =
        telemetry_subscribe(env->telemetry, api, name, buf_all(&req->body), &got, &faults);
    switch (answer) {
    case SUBSCRIPTION_INVALID:
        refuse(req, api, buf_all(&faults));
        return;
    case SUBSCRIPTION_CLOSED:
        refuse_closed(req, api);
        return;
    case SUBSCRIBED:
    case SUBSCRIBED_ALREADY:
        break;
    }
    journal_subscription(env->logs, &got, name,
                         answer == SUBSCRIBED ? S("Subscribed") : S("Already subscribed"));
    api_respond(req, 200, S("\"OK\""));
}
