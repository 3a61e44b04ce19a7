#include "api/policy.h"

#include "aws/codec.h"
#include "base/buf.h"
#include "base/mem.h"

/* The bufs here have no limits: the request bounds what is written, and whoever keeps it looks at
 * its size. With a limit of its own a statement would lose what comes behind it, and be small
 * enough. */

static bool is_account(struct slice s)
{
    uint64_t number = 0;
    return s.n == 12 && slice_u64(s, &number);
}

static bool is_service(struct slice s) /* the last one: alexa-appkit.amazon.com */
{
    if (!slice_ends(s, S(".amazonaws.com")) && !slice_ends(s, S(".amazonaws.com.cn")) &&
        !slice_ends(s, S(".amazon.com")))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
    }
    return true;
}

/* arn:aws:iam::A:root, user/..., role/..., federated ones; arn:aws:sts::A:assumed-role/... */
static bool is_identity(struct slice s)
{
    struct slice part[5] = {{NULL, 0}};
    struct slice rest = s;
    for (size_t i = 0; i < COUNT_OF(part); i++) {
        if (!slice_cut(&rest, ':', &part[i]))
            return false;
    }
    bool known = slice_eq(rest, S("root")) || slice_starts(rest, S("user/")) ||
                 slice_starts(rest, S("role/")) || slice_starts(rest, S("assumed-role/")) ||
                 slice_starts(rest, S("federated-user/"));
    return slice_eq(part[0], S("arn")) &&
           (slice_eq(part[2], S("iam")) || slice_eq(part[2], S("sts"))) && is_account(part[4]) &&
           known;
}

bool policy_knows(struct slice principal)
{
    return slice_eq(principal, S("*")) || is_account(principal) || is_service(principal) ||
           is_identity(principal);
}

static void pair(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, "\"%s\":", name);
    aws_json_string(out, value);
}

static void write_principal(struct arena *arena, struct buf *out, struct slice principal)
{
    bool everybody = slice_eq(principal, S("*"));
    if (is_account(principal))
        principal = arena_printf(arena, "arn:aws:iam::%.*s:root", FMT(principal));
    if (everybody) {
        pair(out, "Principal", principal);
        return;
    }
    buf_slice(out, S("\"Principal\":{"));
    pair(out, is_service(principal) ? "Service" : "AWS", principal);
    buf_char(out, '}');
}

/* One condition operator with those of its keys that are given. */
static void write_operator(struct buf *out, size_t start, const char *name, const char *const *keys,
                           const struct slice *values, size_t n)
{
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (!values[i].p)
            continue;
        if (first)
            buf_printf(out, "%s\"%s\":{", out->n > start ? "," : "", name);
        else
            buf_char(out, ',');
        first = false;
        pair(out, keys[i], values[i]);
    }
    if (!first)
        buf_char(out, '}');
}

/* In the recorded order; the source's account says nothing where an account is the principal
 * (events.md 4.1). */
static void write_conditions(struct buf *out, const struct policy_grant *grant)
{
    static const char *const equal[] = {"AWS:SourceAccount", "lambda:FunctionUrlAuthType",
                                        "aws:PrincipalOrgID", "lambda:EventSourceToken"};
    static const char *const like[] = {"AWS:SourceArn"};
    static const char *const boolean[] = {"lambda:InvokedViaFunctionUrl"};
    const struct slice none = {NULL, 0};
    const struct slice equals[] = {is_account(grant->principal) ? none : grant->source_account,
                                   grant->url_auth_type, grant->organization,
                                   grant->event_source_token};
    const struct slice via_url =
        grant->via_url_set ? grant->via_url ? S("true") : S("false") : none;
    AUTO(buf) struct buf inner = BUF_INIT(SIZE_MAX);
    write_operator(&inner, 0, "StringEquals", equal, equals, COUNT_OF(equals));
    write_operator(&inner, 0, "ArnLike", like, &grant->source_arn, 1);
    write_operator(&inner, 0, "Bool", boolean, &via_url, 1);
    if (!inner.n)
        return;
    buf_slice(out, S(",\"Condition\":{"));
    buf_slice(out, buf_all(&inner));
    buf_char(out, '}');
}

struct slice policy_statement(struct arena *arena, const struct policy_grant *grant)
{
    AUTO(buf) struct buf out = BUF_INIT(SIZE_MAX);
    buf_char(&out, '{');
    pair(&out, "Sid", grant->sid);
    buf_slice(&out, S(",\"Effect\":\"Allow\","));
    write_principal(arena, &out, grant->principal);
    buf_char(&out, ',');
    pair(&out, "Action", grant->action);
    buf_char(&out, ',');
    pair(&out, "Resource", grant->resource);
    write_conditions(&out, grant);
    buf_char(&out, '}');
    return arena_dup(arena, buf_all(&out));
}

static const struct store_Statement *statement(const struct store_Policy *policy, size_t at)
{
    return *AWS_ITEM(policy->Statements, struct store_Statement *, at);
}

struct slice policy_render(struct arena *arena, const struct store_Policy *policy)
{
    AUTO(buf) struct buf out = BUF_INIT(SIZE_MAX);
    buf_slice(&out, S("{\"Version\":\"2012-10-17\",\"Id\":\"default\",\"Statement\":["));
    for (size_t i = 0; i < policy->Statements.n; i++) {
        if (i)
            buf_char(&out, ',');
        buf_slice(&out, statement(policy, i)->Document);
    }
    buf_slice(&out, S("]}"));
    return arena_dup(arena, buf_all(&out));
}

size_t policy_find(const struct store_Policy *policy, struct slice sid)
{
    size_t at = 0;
    while (policy && at < policy->Statements.n && !slice_eq(statement(policy, at)->Sid, sid))
        at++;
    return at;
}

/* Room for one more. */
static struct store_Policy *copy(struct arena *arena, const struct store_Policy *policy)
{
    struct store_Policy *made = ARENA_NEW(arena, store_Policy);
    size_t n = policy ? policy->Statements.n : 0;
    void **items = arena_array(arena, n + 1, sizeof *items);
    if (n)
        memcpy(items, policy->Statements.items, n * sizeof *items);
    made->Statements = (struct aws_list){true, n, items};
    return made;
}

struct store_Policy *policy_with(struct arena *arena, const struct store_Policy *policy,
                                 struct slice sid, struct slice document)
{
    struct store_Policy *made = copy(arena, policy);
    struct store_Statement *added = ARENA_NEW(arena, store_Statement);
    *added = (struct store_Statement){sid, document};
    *AWS_ITEM(made->Statements, struct store_Statement *, made->Statements.n++) = added;
    return made;
}

struct store_Policy *policy_without(struct arena *arena, const struct store_Policy *policy,
                                    size_t at)
{
    struct store_Policy *made = copy(arena, policy);
    void **items = made->Statements.items;
    memmove(items + at, items + at + 1, (--made->Statements.n - at) * sizeof *items);
    return made;
}
