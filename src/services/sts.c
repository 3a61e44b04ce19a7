/* STS: who calls, and temporary credentials. Policies are not evaluated yet: any role that exists
 * may be assumed by anybody. */
#include "aws/codec.h"
#include "base/clock.h"
#include "model/credentials.h"
#include "model/iam.h"
#include "services/iam.h"
#include "services/internal.h"
#include "sts_api.h"

enum {
    HOUR = 3600,
    SESSION_DEFAULT = 12 * HOUR, /* AWS: GetSessionToken of a user */
    PACKED_MAX = 2048,           /* AWS: characters of policies and tags of a session */
};

struct principal services_caller(const struct call *call)
{
    return call->caller ? *call->caller : credentials_root(call->arena, call->account);
}

static bool is_refused(struct call *call, const struct principal *caller)
{
    if (caller->expired)
        call_fail(call, "ExpiredToken", "The security token included in the request is expired");
    else if (caller->inactive)
        call_fail(call, "InvalidClientTokenId",
                  "The security token included in the request is invalid.");
    return caller->expired || caller->inactive;
}

/* No device of one-time codes exists here, so no code is right. */
static bool has_code(struct call *call, struct slice serial, struct slice code)
{
    if (serial.p || code.p)
        call_fail(call, "AccessDenied",
                  "MultiFactorAuthentication failed with invalid MFA one time pass code. ");
    return serial.p || code.p;
}

static struct slice account_of(struct slice arn)
{
    struct slice part = {NULL, 0};
    for (int i = 0; i < 5; i++)
        slice_cut(&arn, ':', &part);
    return part;
}

static void get_caller_identity(struct call *call)
{
    const struct principal caller = services_caller(call);
    if (is_refused(call, &caller))
        return;
    const struct sts_GetCallerIdentityResponse answer = {
        .UserId = caller.user_id, .Account = account_of(caller.arn), .Arn = caller.arn};
    call_ok(call, 0, &answer);
}

static struct sts_Credentials *issue(struct call *call, const struct iam *iam,
                                     const struct principal *principal, int64_t seconds)
{
    /* Whole seconds: that is what the answer says. */
    uint64_t expires = (clock_wall_ms() / 1000 + (uint64_t)seconds) * 1000;
    struct session_keys keys = credentials_issue(iam, call->arena, principal, expires);
    struct sts_Credentials *credentials = ARENA_NEW(call->arena, sts_Credentials);
    *credentials = (struct sts_Credentials){keys.access_key_id, keys.secret_access_key,
                                            keys.session_token, OPT_F64((double)expires / 1000)};
    return credentials;
}

/* ---- AssumeRole ---- */

/* In percent of what AWS allows; absent without policies and tags. */
static bool packed_size(struct call *call, struct opt_i64 *out)
{
    const struct sts_AssumeRoleRequest *in = call->input;
    size_t n = in->Policy.n;
    for (size_t i = 0; i < in->PolicyArns.n; i++) {
        const struct sts_PolicyDescriptorType *one =
            *AWS_ITEM(in->PolicyArns, struct sts_PolicyDescriptorType *, i);
        n += one ? one->arn.n : 0;
    }
    for (size_t i = 0; i < in->Tags.n; i++) {
        const struct sts_Tag *tag = *AWS_ITEM(in->Tags, struct sts_Tag *, i);
        n += tag->Key.n + tag->Value.n;
    }
    if (n > PACKED_MAX) {
        call_fail(call, "PackedPolicyTooLarge",
                  "Packed policy consumes %zu%% of allotted space, please use smaller policy.",
                  n * 100 / PACKED_MAX);
        return false;
    }
    if (n)
        *out = OPT_I64((int64_t)((n * 100 + PACKED_MAX - 1) / PACKED_MAX));
    return true;
}

/* How long, within what the role and the kind of caller allow. False: refused. */
static bool session_length(struct call *call, const struct principal *caller,
                           const struct iam_Role *role, int64_t *out)
{
    const struct sts_AssumeRoleRequest *in = call->input;
    *out = in->DurationSeconds.set ? in->DurationSeconds.v : HOUR;
    if (caller->session && caller->kind == PRINCIPAL_ROLE && *out > HOUR) {
        call_fail(
            call, "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
            "by role chaining");
        return false;
    }
    if (role->MaxSessionDuration.set && *out > role->MaxSessionDuration.v) {
        call_fail(
            call, "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
        return false;
    }
    return true;
}

static void assume_role(struct call *call)
{
    const struct iam *iam = call->context;
    const struct sts_AssumeRoleRequest *in = call->input;
    const struct principal caller = services_caller(call);
    struct sts_AssumeRoleResponse answer = {.SourceIdentity = in->SourceIdentity};
    struct iam_arn parts;
    int64_t seconds = 0;
    if (is_refused(call, &caller) || has_code(call, in->SerialNumber, in->TokenCode))
        return;
    if (!iam_arn_parse(in->RoleArn, &parts)) {
        call_fail(call, "ValidationError", "%.*s is invalid", FMT(in->RoleArn));
        return;
    }
    if (in->Policy.p && !iam_document_check(call, in->Policy, IAM_IDENTITY_POLICY))
        return;
    if (!packed_size(call, &answer.PackedPolicySize))
        return;
    const struct iam_Role *role = iam_role_of(iam, call->arena, in->RoleArn);
    if (!role) {
        call_fail(call, "AccessDenied",
                  "User: %.*s is not authorized to perform: sts:AssumeRole on resource: %.*s",
                  FMT(caller.arn), FMT(in->RoleArn));
        return;
    }
    if (!session_length(call, &caller, role, &seconds))
        return;
    struct principal session =
        credentials_role(iam, call->arena, in->RoleArn, parts.account, in->RoleSessionName);
    struct sts_AssumedRoleUser user = {session.user_id, session.arn};
    answer.AssumedRoleUser = &user;
    answer.Credentials = issue(call, iam, &session, seconds);
    call_ok(call, 0, &answer);
}

/* ---- the others ---- */

static void get_session_token(struct call *call)
{
    const struct sts_GetSessionTokenRequest *in = call->input;
    struct principal caller = services_caller(call);
    int64_t seconds = in->DurationSeconds.set ? in->DurationSeconds.v : SESSION_DEFAULT;
    if (is_refused(call, &caller) || has_code(call, in->SerialNumber, in->TokenCode))
        return;
    if (caller.session) {
        call_fail(call, "AccessDenied", "Cannot call GetSessionToken with session credentials");
        return;
    }
    if (caller.kind == PRINCIPAL_ROOT && seconds > HOUR)
        seconds = HOUR; /* AWS: an account's owner gets no more */
    const struct sts_GetSessionTokenResponse answer = {
        issue(call, call->context, &caller, seconds)};
    call_ok(call, 0, &answer);
}

static void get_access_key_info(struct call *call)
{
    const struct sts_GetAccessKeyInfoRequest *in = call->input;
    const struct sts_GetAccessKeyInfoResponse answer = {
        credentials_account_of(call->arena, in->AccessKeyId)};
    if (answer.Account.p)
        call_ok(call, 0, &answer);
    else
        call_fail(call, "ValidationError", "Invalid Access Key");
}

void sts_register(struct front *front, struct iam *iam)
{
    front_handle(front, &sts_op_GetCallerIdentity, get_caller_identity, iam);
    front_handle(front, &sts_op_AssumeRole, assume_role, iam);
    front_handle(front, &sts_op_GetSessionToken, get_session_token, iam);
    front_handle(front, &sts_op_GetAccessKeyInfo, get_access_key_info, iam);
}
