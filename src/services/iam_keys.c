/* Access keys of users. The secret is shown once and kept sealed. */
#include "aws/codec.h"
#include "model/secret.h"
#include "services/iam.h"

enum { KEYS_MAX = 2 };

static void create_key(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_CreateAccessKeyRequest *in = call->input;
    struct slice name = iam_user_name(call, in->UserName);
    const struct iam_Entity *found = name.p ? iam_find(call, IAM_USER, name) : NULL;
    if (!found)
        return;
    if (found->AccessKeys.n >= KEYS_MAX) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", KEYS_MAX);
        return;
    }
    struct slice id = credentials_key_id(call->arena, "AKIA", call->account);
    while (table_has(iam->keys, id))
        id = credentials_key_id(call->arena, "AKIA", call->account);
    struct slice secret = credentials_secret(call->arena);
    const struct iam_Key key = {.Account = call->account,
                                .UserName = found->User->UserName,
                                .Status = S("Active"),
                                .Secret = secret_seal(iam->secret, call->arena, id, secret),
                                .CreateDate = iam_now()};
    struct iam_Entity entity = *found;
    entity.AccessKeys = iam_list_add(call->arena, found->AccessKeys, &id, sizeof id);
    struct iam_AccessKey *shown = ARENA_NEW(call->arena, iam_AccessKey);
    *shown = (struct iam_AccessKey){arena_dup(call->arena, key.UserName), id, key.Status, secret,
                                    key.CreateDate};
    struct iam_CreateAccessKeyResponse *answer =
        ARENA_NEW(call->arena, iam_CreateAccessKeyResponse);
    answer->AccessKey = shown;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->users, iam_key(call->arena, call->account, name), &entity);
    table_put(write, iam->keys, id, &key);
    iam_commit(call, write, answer);
}

static size_t position(const struct iam_Entity *user, struct slice id)
{
    size_t i = 0;
    while (i < user->AccessKeys.n && !slice_eq(*AWS_ITEM(user->AccessKeys, struct slice, i), id))
        i++;
    return i;
}

/* The user's key, and whose it is. NULL: answered. */
static const struct iam_Key *find(struct call *call, struct slice name, struct slice id,
                                  const struct iam_Entity **out_user)
{
    const struct iam *iam = call->context;
    const struct iam_Entity *user = name.p ? iam_find(call, IAM_USER, name) : NULL;
    if (!user)
        return NULL;
    const struct iam_Key *key =
        position(user, id) < user->AccessKeys.n ? table_get(iam->keys, id) : NULL;
    if (!key)
        call_fail(call, "NoSuchEntity", "The Access Key with id %.*s cannot be found.", FMT(id));
    *out_user = user;
    return key;
}

static void update_key(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_UpdateAccessKeyRequest *in = call->input;
    const struct iam_Entity *user = NULL;
    const struct iam_Key *found =
        find(call, iam_user_name(call, in->UserName), in->AccessKeyId, &user);
    if (!found)
        return;
    if (slice_eq(in->Status, S("Expired"))) {
        call_fail(call, "InvalidInput", "The status of an access key is Active or Inactive.");
        return;
    }
    struct iam_Key key = *found;
    key.Status = in->Status;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->keys, in->AccessKeyId, &key);
    iam_commit(call, write, NULL);
}

static void delete_key(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_DeleteAccessKeyRequest *in = call->input;
    const struct iam_Entity *user = NULL;
    struct slice name = iam_user_name(call, in->UserName);
    if (!find(call, name, in->AccessKeyId, &user))
        return;
    struct iam_Entity entity = *user;
    entity.AccessKeys = iam_list_remove(call->arena, user->AccessKeys,
                                        position(user, in->AccessKeyId), sizeof(struct slice));
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->users, iam_key(call->arena, call->account, name), &entity);
    table_delete(write, iam->keys, in->AccessKeyId);
    iam_commit(call, write, NULL);
}

static void list_keys(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_ListAccessKeysRequest *in = call->input;
    struct slice name = iam_user_name(call, in->UserName);
    const struct iam_Entity *user = name.p ? iam_find(call, IAM_USER, name) : NULL;
    struct iam_page page;
    if (!user || !iam_page(call, in->Marker, in->MaxItems, user->AccessKeys.items,
                           user->AccessKeys.n, &page))
        return;
    struct iam_AccessKeyMetadata *shown = arena_array(call->arena, page.to + 1, sizeof *shown);
    size_t n = 0;
    for (size_t i = page.from; i < page.to; i++) {
        struct slice id = *AWS_ITEM(user->AccessKeys, struct slice, i);
        const struct iam_Key *key = table_get(iam->keys, id);
        if (key)
            shown[n++] = (struct iam_AccessKeyMetadata){user->User->UserName, id, key->Status,
                                                        key->CreateDate};
    }
    const struct iam_ListAccessKeysResponse answer = {
        aws_list_of(call->arena, shown, n, sizeof *shown), page.truncated, page.marker};
    call_ok(call, 0, &answer);
}

/* Uses are not recorded: AWS's answer for a key that nobody has used. */
static void get_last_used(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_GetAccessKeyLastUsedRequest *in = call->input;
    const struct iam_Key *key = table_get(iam->keys, in->AccessKeyId);
    if (!key || !slice_eq(key->Account, call->account)) {
        call_fail(call, "NoSuchEntity", "The Access Key with id %.*s cannot be found.",
                  FMT(in->AccessKeyId));
        return;
    }
    struct iam_AccessKeyLastUsed unused = {.ServiceName = S("N/A"), .Region = S("N/A")};
    const struct iam_GetAccessKeyLastUsedResponse answer = {key->UserName, &unused};
    call_ok(call, 0, &answer);
}

void iam_keys_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_CreateAccessKey, create_key, iam);
    front_handle(front, &iam_op_UpdateAccessKey, update_key, iam);
    front_handle(front, &iam_op_DeleteAccessKey, delete_key, iam);
    front_handle(front, &iam_op_ListAccessKeys, list_keys, iam);
    front_handle(front, &iam_op_GetAccessKeyLastUsed, get_last_used, iam);
}
