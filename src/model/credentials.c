#include "model/credentials.h"

#include "aws/codec.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "model/iam.h"
#include "model/secret.h"

enum { KEY_ID_LEN = 20, SECRET_LEN = 40, TOKEN_MAX = 8192, DIGEST_TEXT = 17 };

/* How AWS's own tokens begin. */
static const char token_prefix[] = "IQoJb3JpZ2luX2Vj";
static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char *const kinds[] = {
    [PRINCIPAL_ROOT] = "root", [PRINCIPAL_USER] = "user", [PRINCIPAL_ROLE] = "role"};

/* ---- ids ---- */

/* Sixteen letters of five bits behind the prefix: a random bit, forty of the account, thirty-nine
 * more that are random. */
struct slice credentials_key_id(struct arena *arena, const char *prefix, struct slice account)
{
    char *id = arena_alloc(arena, KEY_ID_LEN);
    uint64_t number = 0;
    unsigned char random[16];
    if (!slice_u64(account, &number))
        number = 0;
    id_random(random, sizeof random);
    memcpy(id, prefix, 4);
    for (int i = 0; i < 16; i++) {
        unsigned value = 0;
        for (int bit = i * 5; bit < i * 5 + 5; bit++) {
            unsigned chosen = (random[i] >> (bit - i * 5)) & 1;
            if (bit >= 1 && bit <= 40)
                chosen = (unsigned)(number >> (40 - bit)) & 1;
            value = value << 1 | chosen;
        }
        id[4 + i] = base32[value];
    }
    return (struct slice){id, KEY_ID_LEN};
}

struct slice credentials_account_of(struct arena *arena, struct slice key_id)
{
    uint64_t number = 0;
    if (key_id.n != KEY_ID_LEN)
        return (struct slice){NULL, 0};
    for (size_t i = 4; i < 13; i++) { /* 45 bits: one, the forty, and four */
        const char *at = memchr(base32, key_id.p[i], 32);
        if (!at)
            return (struct slice){NULL, 0};
        number = number << 5 | (uint64_t)(at - base32);
    }
    number = number >> 4 & 0xffffffffff;
    if (number > 999999999999)
        return (struct slice){NULL, 0};
    return arena_printf(arena, "%012llu", (unsigned long long)number);
}

struct slice credentials_secret(struct arena *arena)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = arena_alloc(arena, SECRET_LEN);
    id_random(text, SECRET_LEN);
    for (int i = 0; i < SECRET_LEN; i++)
        text[i] = letters[(unsigned char)text[i] % 64];
    return (struct slice){text, SECRET_LEN};
}

/* The id of a role that does not exist: always the same for one ARN (FNV-1a, twice). */
static struct slice made_up_id(struct arena *arena, struct slice arn)
{
    char *id = arena_alloc(arena, 4 + DIGEST_TEXT);
    uint64_t hash = 0xcbf29ce484222325;
    memcpy(id, "AROA", 4);
    for (size_t i = 0; i < arn.n; i++)
        hash = (hash ^ (unsigned char)arn.p[i]) * 0x100000001b3;
    for (int i = 0; i < DIGEST_TEXT; i++) {
        id[4 + i] = base32[hash >> 59];
        hash = (hash ^ (hash >> 29)) * 0x100000001b3;
    }
    return (struct slice){id, 4 + DIGEST_TEXT};
}

/* ---- principals ---- */

struct principal credentials_root(struct arena *arena, struct slice account)
{
    return (struct principal){.kind = PRINCIPAL_ROOT,
                              .account = account,
                              .arn = arena_printf(arena, "arn:aws:iam::%.*s:root", FMT(account)),
                              .user_id = account};
}

struct principal credentials_role(const struct iam *iam, struct arena *arena, struct slice role_arn,
                                  struct slice account, struct slice session)
{
    struct iam_arn parts;
    const struct iam_Role *role = iam_role_of(iam, arena, role_arn);
    if (!iam_arn_parse(role_arn, &parts))
        parts = (struct iam_arn){.partition = S("aws"), .account = account, .name = role_arn};
    struct slice id = role ? role->RoleId : made_up_id(arena, role_arn);
    return (struct principal){.kind = PRINCIPAL_ROLE,
                              .account = account,
                              .arn =
                                  arena_printf(arena, "arn:%.*s:sts::%.*s:assumed-role/%.*s/%.*s",
                                               FMT(parts.partition), FMT(parts.account),
                                               FMT(parts.name), FMT(session)),
                              .user_id = arena_printf(arena, "%.*s:%.*s", FMT(id), FMT(session)),
                              .session = true};
}

static bool find_long(const struct iam *iam, struct arena *arena, struct slice id,
                      struct principal *out)
{
    const struct iam_Key *key = table_get(iam->keys, id);
    if (!key)
        return false;
    const struct iam_Entity *user =
        table_get(iam->users, iam_key(arena, key->Account, key->UserName));
    if (!user)
        return false;
    *out = (struct principal){.kind = PRINCIPAL_USER,
                              .account = arena_dup(arena, key->Account),
                              .arn = arena_dup(arena, user->User->Arn),
                              .user_id = arena_dup(arena, user->User->UserId),
                              .user_name = arena_dup(arena, user->User->UserName),
                              .inactive = !slice_eq(key->Status, S("Active"))};
    return true;
}

static bool find_session(const struct iam *iam, struct arena *arena, struct slice id,
                         struct slice token, struct principal *out)
{
    struct slice prefix = slice_str(token_prefix);
    struct slice json;
    struct err err;
    struct aws_fault fault;
    void *value = NULL;
    if (!slice_starts(token, prefix) || token.n > TOKEN_MAX ||
        !secret_unseal(iam->secret, arena, id, slice_sub(token, prefix.n, token.n), &json, &err) ||
        !aws_decode_struct(iam_shape_Session, json, arena, &value, &fault))
        return false;
    const struct iam_Session *session = value;
    enum principal_kind kind = PRINCIPAL_ROOT;
    while (kind < PRINCIPAL_ROLE && !slice_eq(session->Kind, slice_str(kinds[kind])))
        kind++;
    *out = (struct principal){.kind = kind,
                              .account = session->Account,
                              .arn = session->Arn,
                              .user_id = session->UserId,
                              .user_name = session->UserName,
                              .session = true,
                              .expired = session->Expires.v * 1000 <= (double)clock_wall_ms()};
    return true;
}

bool credentials_find(const struct iam *iam, struct arena *arena, struct slice key,
                      struct slice token, struct principal *out)
{
    if (key.n != KEY_ID_LEN)
        return false;
    if (slice_starts(key, S("AKIA")))
        return find_long(iam, arena, key, out);
    return token.p && slice_starts(key, S("ASIA")) && find_session(iam, arena, key, token, out);
}

/* ---- sessions ---- */

struct session_keys credentials_issue(const struct iam *iam, struct arena *arena,
                                      const struct principal *principal, uint64_t expires_ms)
{
    AUTO(buf) struct buf json = BUF_INIT(TOKEN_MAX);
    struct session_keys keys = {credentials_key_id(arena, "ASIA", principal->account),
                                credentials_secret(arena),
                                {NULL, 0}};
    const struct iam_Session session = {.Kind = slice_str(kinds[principal->kind]),
                                        .Account = principal->account,
                                        .Arn = principal->arn,
                                        .UserId = principal->user_id,
                                        .UserName = principal->user_name,
                                        .Secret = keys.secret_access_key,
                                        .Expires = OPT_F64((double)expires_ms / 1000)};
    aws_encode_struct(iam_shape_Session, &session, &json);
    struct slice sealed = secret_seal(iam->secret, arena, keys.access_key_id, buf_all(&json));
    keys.session_token = arena_printf(arena, "%s%.*s", token_prefix, FMT(sealed));
    return keys;
}

bool credentials_for_function(const struct iam *iam, struct arena *arena, struct slice role_arn,
                              struct slice account, struct slice function, uint64_t expires_ms,
                              struct session_keys *out)
{
    struct iam_arn parts;
    if (!iam_arn_parse(role_arn, &parts) || !slice_eq(parts.kind, S("role")))
        return false;
    /* A session name has at least two letters. */
    struct slice name =
        function.n == 1 ? arena_printf(arena, "%.*s@lambda_function", FMT(function)) : function;
    struct principal principal = credentials_role(iam, arena, role_arn, account, name);
    *out = credentials_issue(iam, arena, &principal, expires_ms);
    return true;
}
