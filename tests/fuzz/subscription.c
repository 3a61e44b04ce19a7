/* Subscription documents: whatever is taken is within the limits, and says where to in a form that
 * can stand in a request line; whatever is not has a reason, and leaves the result alone. */
#include "env/subscription.h"
#include "base/mem.h"

static void check(const struct subscription *got)
{
    must(got->types && got->types <= (TYPE_PLATFORM | TYPE_FUNCTION | TYPE_EXTENSION));
    must(got->port && got->port != 9001 && got->port != 4566);
    must(got->max_items >= 1000 && got->max_items <= 10000);
    must(got->max_bytes >= 262144 && got->max_bytes <= 1048576);
    must(got->timeout_ms >= 25 && got->timeout_ms <= 30000);
    must(got->form != REPORT_TEXT && got->form < REPORT_FORMS);
    must(got->http == (got->path[0] == '/'));
    for (const char *p = got->path; *p; p++)
        must(*p > ' ' && *p <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {(const char *)data, size};
    for (int api = API_TELEMETRY; api <= API_LOGS; api++) {
        AUTO(buf) struct buf faults = BUF_INIT(SUBSCRIPTION_FAULTS_MAX);
        struct subscription got = {0};
        if (subscription_parse(in, (enum subscription_api)api, &got, &faults)) {
            must(faults.n == 0 && got.api == (enum subscription_api)api);
            check(&got);
        } else {
            must(faults.n && !faults.over && !got.port && !got.types);
        }
    }
    return 0;
}
