#include "services/iam_document.h"

#include <jansson.h>

struct check {
    struct arena *arena;
    enum iam_document kind;
    struct slice fault; /* absent: none yet */
};

#define SYNTAX S("Syntax errors in policy.")

/* Always false, so that a check can `return bad(...)`. The first fault counts. */
static bool bad(struct check *c, struct slice fault)
{
    if (!c->fault.p)
        c->fault = fault;
    return false;
}

static struct slice text_of(const json_t *json)
{
    return (struct slice){json_string_value(json), json_string_length(json)};
}

static bool is_one_of(struct slice s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(s, slice_str(words[i])))
            return true;
    }
    return false;
}

/* ---- strings and lists of them ---- */

typedef bool each_text(struct check *c, struct slice text);

static bool each(struct check *c, json_t *value, each_text *on)
{
    json_t *item = NULL;
    size_t i = 0;
    if (json_is_string(value))
        return on(c, text_of(value));
    json_array_foreach(value, i, item)
    {
        if (!on(c, text_of(item)))
            return false;
    }
    return true;
}

static bool is_texts(const json_t *value)
{
    json_t *item = NULL;
    size_t i = 0;
    if (json_is_string(value))
        return true;
    if (!json_is_array(value))
        return false;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return true;
}

static bool is_empty(const json_t *value)
{
    return !value || (json_is_array(value) && json_array_size(value) == 0);
}

/* ---- syntax: which members, of which types ---- */

static bool keys_within(json_t *object, const char *const *words, size_t count)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        if (!is_one_of(slice_str(key), words, count))
            return false;
    }
    return true;
}

static bool is_operator(struct slice name)
{
    static const char *const operators[] = {"StringEquals",
                                            "StringNotEquals",
                                            "StringEqualsIgnoreCase",
                                            "StringNotEqualsIgnoreCase",
                                            "StringLike",
                                            "StringNotLike",
                                            "NumericEquals",
                                            "NumericNotEquals",
                                            "NumericLessThan",
                                            "NumericLessThanEquals",
                                            "NumericGreaterThan",
                                            "NumericGreaterThanEquals",
                                            "DateEquals",
                                            "DateNotEquals",
                                            "DateLessThan",
                                            "DateLessThanEquals",
                                            "DateGreaterThan",
                                            "DateGreaterThanEquals",
                                            "Bool",
                                            "BinaryEquals",
                                            "IpAddress",
                                            "NotIpAddress",
                                            "ArnEquals",
                                            "ArnLike",
                                            "ArnNotEquals",
                                            "ArnNotLike",
                                            "Null"};
    static const char *const sets[] = {"ForAllValues:", "ForAnyValue:"};
    static const char if_exists[] = "IfExists";
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        if (slice_starts(name, slice_str(sets[i])))
            name = slice_sub(name, strlen(sets[i]), name.n);
    }
    if (slice_ends(name, slice_str(if_exists)))
        name = slice_sub(name, 0, name.n - strlen(if_exists));
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (slice_eq_nocase(name, slice_str(operators[i])))
            return true;
    }
    return false;
}

static bool is_plain(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

static bool is_condition(json_t *condition)
{
    const char *key = NULL;
    const char *name = NULL;
    json_t *keys = NULL;
    json_t *values = NULL;
    json_object_foreach(condition, key, keys)
    {
        if (!json_is_object(keys) || !is_operator(slice_str(key)))
            return false;
        json_object_foreach(keys, name, values)
        {
            json_t *item = NULL;
            size_t i = 0;
            if (!is_plain(values) && !json_is_array(values))
                return false;
            json_array_foreach(values, i, item)
            {
                if (!is_plain(item))
                    return false;
            }
        }
    }
    return json_is_object(condition);
}

static bool is_principal(json_t *principal)
{
    static const char *const types[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    const char *key = NULL;
    json_t *value = NULL;
    if (json_is_string(principal))
        return slice_eq(text_of(principal), S("*"));
    if (!json_is_object(principal) || !keys_within(principal, types, COUNT_OF(types)))
        return false;
    json_object_foreach(principal, key, value)
    {
        if (!is_texts(value))
            return false;
    }
    return true;
}

static bool is_statement(json_t *statement)
{
    static const char *const members[] = {"Sid",       "Effect",    "Principal",
                                          "Action",    "Resource",  "NotPrincipal",
                                          "NotAction", "Condition", "NotResource"};
    static const char *const lists[] = {"Action", "NotAction", "Resource", "NotResource"};
    static const char *const principals[] = {"Principal", "NotPrincipal"};
    if (!json_is_object(statement) || !keys_within(statement, members, COUNT_OF(members)))
        return false;
    struct slice effect = text_of(json_object_get(statement, "Effect"));
    json_t *sid = json_object_get(statement, "Sid");
    json_t *condition = json_object_get(statement, "Condition");
    if ((!slice_eq(effect, S("Allow")) && !slice_eq(effect, S("Deny"))) ||
        (sid && !json_is_string(sid)) || (condition && !is_condition(condition)))
        return false;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        json_t *value = json_object_get(statement, lists[i]);
        if (value && !is_texts(value))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(principals); i++) {
        json_t *value = json_object_get(statement, principals[i]);
        if (value && !is_principal(value))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(lists); i += 2) { /* one or its opposite */
        if (json_object_get(statement, lists[i]) && json_object_get(statement, lists[i + 1]))
            return false;
    }
    return !json_object_get(statement, "Principal") || !json_object_get(statement, "NotPrincipal");
}

static bool is_document(json_t *document)
{
    static const char *const members[] = {"Version", "Id", "Statement"};
    static const char *const versions[] = {"2012-10-17", "2008-10-17"};
    if (!json_is_object(document) || !keys_within(document, members, COUNT_OF(members)))
        return false;
    json_t *version = json_object_get(document, "Version");
    json_t *id = json_object_get(document, "Id");
    json_t *statements = json_object_get(document, "Statement");
    json_t *statement = NULL;
    size_t i = 0;
    if ((version && !is_one_of(text_of(version), versions, COUNT_OF(versions))) ||
        (id && !json_is_string(id)))
        return false;
    if (json_is_object(statements))
        return is_statement(statements);
    json_array_foreach(statements, i, statement)
    {
        if (!is_statement(statement))
            return false;
    }
    return json_array_size(statements) > 0;
}

/* ---- actions, resources, principals ---- */

static bool check_action(struct check *c, struct slice action)
{
    struct slice rest = action;
    struct slice vendor;
    if (c->kind == IAM_TRUST_POLICY) {
        static const char *const others[] = {"sts:*", "sts:TagSession", "sts:SetSourceIdentity",
                                             "sts:SetContext"};
        bool ok =
            slice_eq_nocase(slice_sub(action, 0, strlen("sts:AssumeRole")), S("sts:AssumeRole"));
        for (size_t i = 0; i < COUNT_OF(others); i++)
            ok |= slice_eq_nocase(action, slice_str(others[i]));
        return ok || bad(c, S("AssumeRole policy may only specify STS AssumeRole actions."));
    }
    if (slice_eq(action, S("*")))
        return true;
    slice_cut(&rest, ':', &vendor);
    if (!rest.p)
        return bad(c, S("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, "
                        "etc."));
    if (slice_find(rest, ':') != SIZE_MAX)
        return bad(c, S("Actions/Condition can contain only one colon."));
    for (size_t i = 0; i < vendor.n; i++) {
        char ch = vendor.p[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
              ch == '-' || ch == '.' || ch == '_'))
            return bad(c, arena_printf(c->arena, "Vendor %.*s is not valid", FMT(vendor)));
    }
    return vendor.n || bad(c, S("Vendor  is not valid"));
}

static bool check_resource(struct check *c, struct slice resource)
{
    struct slice rest = resource;
    struct slice parts[6] = {{NULL, 0}};
    size_t n = 0;
    if (slice_eq(resource, S("*")))
        return true;
    while (n < 5 && slice_cut(&rest, ':', &parts[n]))
        n++;
    if (!slice_eq(parts[0], S("arn")) || n < 2)
        return bad(c, arena_printf(c->arena, "Resource %.*s must be in ARN format or \"*\".",
                                   FMT(resource)));
    if (!slice_eq(parts[1], S("*")) && !slice_eq(parts[1], S("aws")) &&
        !slice_starts(parts[1], S("aws-")))
        return bad(c,
                   arena_printf(c->arena, "Partition \"%.*s\" is not valid for resource \"%.*s\".",
                                FMT(parts[1]), FMT(resource)));
    if (n < 3 || !parts[2].n || slice_find(parts[2], '*') != SIZE_MAX ||
        slice_find(parts[2], '?') != SIZE_MAX)
        return bad(c, S("Resource vendor must be fully qualified and cannot contain regexes."));
    if (!rest.p)
        return bad(c, S("The policy failed legacy parsing"));
    return true;
}

static bool is_account(struct slice s)
{
    uint64_t number = 0;
    return s.n == 12 && slice_u64(s, &number);
}

static bool check_aws_principal(struct check *c, struct slice who)
{
    bool arn = slice_starts(who, S("arn:")) && slice_find(who, '*') == SIZE_MAX;
    return slice_eq(who, S("*")) || is_account(who) || arn ||
           bad(c,
               arena_printf(c->arena, "Invalid principal in policy: \"AWS\":\"%.*s\"", FMT(who)));
}

static bool check_service_principal(struct check *c, struct slice who)
{
    return slice_ends(who, S(".amazonaws.com")) || slice_ends(who, S(".amazonaws.com.cn")) ||
           slice_ends(who, S(".amazon.com")) ||
           bad(c, arena_printf(c->arena, "Invalid principal in policy: \"SERVICE\":\"%.*s\"",
                               FMT(who)));
}

static bool check_trust(struct check *c, json_t *statement)
{
    json_t *principal = json_object_get(statement, "Principal");
    json_t *aws = json_object_get(principal, "AWS");
    json_t *service = json_object_get(principal, "Service");
    size_t named = 0;
    const char *key = NULL;
    json_t *value = NULL;
    if (json_object_get(statement, "Resource") || json_object_get(statement, "NotResource"))
        return bad(c, S("Has prohibited field Resource"));
    if (json_object_get(statement, "NotPrincipal"))
        return true;
    if (!principal)
        return bad(c, S("AssumeRolepolicy must contain principals."));
    json_object_foreach(principal, key, value) named += !is_empty(value);
    if (json_is_object(principal) && !named)
        return bad(c,
                   S("Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: "
                     "The passed in policy has a statement with no principals!"));
    return (!aws || each(c, aws, check_aws_principal)) &&
           (!service || each(c, service, check_service_principal));
}

static bool check_sid(struct check *c, struct slice sid)
{
    for (size_t i = 0; i < sid.n; i++) {
        char ch = sid.p[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9')))
            return bad(c, S("Statement IDs (SID) must be alpha-numeric. Check that your input "
                            "satisfies the regular expression [0-9A-Za-z]*"));
    }
    return true;
}

static bool check_statement(struct check *c, json_t *statement)
{
    json_t *actions = json_object_get(statement, "Action");
    json_t *resources = json_object_get(statement, "Resource");
    json_t *sid = json_object_get(statement, "Sid");
    if (!actions)
        actions = json_object_get(statement, "NotAction");
    if (!resources)
        resources = json_object_get(statement, "NotResource");
    if (c->kind == IAM_IDENTITY_POLICY &&
        (json_object_get(statement, "Principal") || json_object_get(statement, "NotPrincipal")))
        return bad(c, S("Policy document should not specify a principal."));
    if (is_empty(actions))
        return bad(c, S("Policy statement must contain actions."));
    if (c->kind == IAM_TRUST_POLICY)
        return check_trust(c, statement) && each(c, actions, check_action);
    if (is_empty(resources))
        return bad(c, S("Policy statement must contain resources."));
    return (!sid || check_sid(c, text_of(sid))) && each(c, resources, check_resource) &&
           each(c, actions, check_action);
}

static bool check_sids(struct check *c, json_t *statements)
{
    json_t *statement = NULL;
    size_t i = 0;
    bool ok = true;
    json_t *seen = json_object();
    json_array_foreach(statements, i, statement)
    {
        const char *sid = json_string_value(json_object_get(statement, "Sid"));
        if (!sid || !*sid)
            continue;
        if (json_object_get(seen, sid))
            ok = bad(c, S("Statement IDs (SID) in a single policy must be unique."));
        json_object_set_new(seen, sid, json_true());
    }
    json_decref(seen);
    return ok;
}

static void check_document(struct check *c, json_t *document)
{
    json_t *statements = json_object_get(document, "Statement");
    json_t *statement = NULL;
    size_t i = 0;
    if (!is_document(document)) {
        bad(c, SYNTAX);
        return;
    }
    if (c->kind == IAM_IDENTITY_POLICY &&
        !slice_eq(text_of(json_object_get(document, "Version")), S("2012-10-17"))) {
        bad(c, S("Policy document must be version 2012-10-17 or greater."));
        return;
    }
    if (json_is_object(statements)) {
        check_statement(c, statements);
        return;
    }
    if (!check_sids(c, statements))
        return;
    json_array_foreach(statements, i, statement)
    {
        if (!check_statement(c, statement))
            return;
    }
}

struct slice iam_document_fault(struct slice text, enum iam_document kind, struct arena *arena)
{
    struct check check = {.arena = arena, .kind = kind};
    json_t *document = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!document)
        return S("This policy contains invalid Json");
    check_document(&check, document);
    json_decref(document);
    return check.fault;
}

size_t iam_document_size(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        n += c != ' ' && c != '\t' && c != '\n' && c != '\r';
    }
    return n;
}

struct slice iam_document_encode(struct arena *arena, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = arena_alloc(arena, 3 * text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            to[n++] = (char)c;
        } else {
            to[n++] = '%';
            to[n++] = hex[c >> 4];
            to[n++] = hex[c & 15];
        }
    }
    return (struct slice){to, n};
}
