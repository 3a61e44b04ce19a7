/* Users. Their access keys are in iam_keys.c. */
#include "aws/codec.h"
#include "services/iam.h"

static void create_user(struct call *call)
{
    const struct iam_CreateUserRequest *in = call->input;
    struct slice path = in->Path.p ? in->Path : S("/");
    struct iam_User *user = ARENA_NEW(call->arena, iam_User);
    const struct iam_Entity entity = {.User = user};
    if (!iam_is_new(call, IAM_USER, in->UserName) ||
        !iam_boundary(call, in->PermissionsBoundary, &user->PermissionsBoundary) ||
        !iam_tags_merge(call, user->Tags, in->Tags, &user->Tags))
        return;
    user->Path = path;
    user->UserName = in->UserName;
    user->UserId = iam_id(call->arena, "AIDA", IAM_ID_LETTERS);
    user->Arn = iam_make_arn(call, "user", path, in->UserName);
    user->CreateDate = iam_now();
    struct iam_CreateUserResponse *answer = ARENA_NEW(call->arena, iam_CreateUserResponse);
    answer->User = user;
    iam_put(call, IAM_USER, in->UserName, &entity, answer);
}

struct slice iam_user_name(struct call *call, struct slice given)
{
    const struct principal caller = services_caller(call);
    if (given.p || caller.kind == PRINCIPAL_USER)
        return given.p ? given : caller.user_name;
    call_fail(call, "ValidationError",
              "Must specify userName when calling with non-User credentials");
    return given;
}

static void get_user(struct call *call)
{
    const struct iam_GetUserRequest *in = call->input;
    const struct principal caller = services_caller(call);
    if (!in->UserName.p && caller.kind == PRINCIPAL_ROOT) {
        /* Of the account itself AWS tells no name and no path. */
        struct iam_User root = {
            .UserId = caller.user_id, .Arn = caller.arn, .CreateDate = OPT_F64(0)};
        const struct iam_GetUserResponse answer = {&root};
        call_ok(call, 0, &answer);
        return;
    }
    struct slice name = iam_user_name(call, in->UserName);
    const struct iam_Entity *found = name.p ? iam_find(call, IAM_USER, name) : NULL;
    if (!found)
        return;
    const struct iam_GetUserResponse answer = {found->User};
    call_ok(call, 0, &answer);
}

static void delete_user(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_DeleteUserRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_USER, in->UserName);
    if (!found)
        return;
    const char *first = found->AccessKeys.n ? "delete access keys"
                        : found->Attached.n ? "detach all policies"
                        : found->Inline.n   ? "delete policies"
                        : found->Groups.n   ? "remove users from group"
                                            : NULL;
    if (first) {
        call_fail(call, "DeleteConflict", "Cannot delete entity, must %s first.", first);
        return;
    }
    struct table_write *write = table_write_new(iam->tables);
    table_delete(write, iam->users, iam_key(call->arena, call->account, in->UserName));
    iam_commit(call, write, NULL);
}

static void list_users(struct call *call)
{
    const struct iam_ListUsersRequest *in = call->input;
    struct iam_rows rows = iam_rows(call, IAM_USER, in->PathPrefix);
    struct iam_page page;
    if (!iam_page(call, in->Marker, in->MaxItems, rows.names, rows.count, &page))
        return;
    struct iam_User *users = arena_array(call->arena, rows.count + 1, sizeof *users);
    for (size_t i = page.from; i < page.to; i++) {
        users[i] = *rows.entities[i]->User;
        users[i].Tags.set = false; /* AWS: tags and boundary only one by one */
        users[i].PermissionsBoundary = NULL;
    }
    const struct iam_ListUsersResponse answer = {
        aws_list_of(call->arena, users + page.from, page.to - page.from, sizeof *users),
        page.truncated, page.marker};
    call_ok(call, 0, &answer);
}

/* ---- changes ---- */

static void set_boundary(struct call *call, struct slice name, struct slice arn)
{
    const struct iam_Entity *found = iam_find(call, IAM_USER, name);
    if (!found)
        return;
    struct iam_Entity entity = *found;
    struct iam_User user = *found->User;
    user.PermissionsBoundary = NULL;
    entity.User = &user;
    if (iam_boundary(call, arn, &user.PermissionsBoundary))
        iam_put(call, IAM_USER, name, &entity, NULL);
}

static void put_boundary(struct call *call)
{
    const struct iam_PutUserPermissionsBoundaryRequest *in = call->input;
    set_boundary(call, in->UserName, in->PermissionsBoundary);
}

static void delete_boundary(struct call *call)
{
    const struct iam_DeleteUserPermissionsBoundaryRequest *in = call->input;
    set_boundary(call, in->UserName, (struct slice){NULL, 0});
}

/* The keys of a user who is called otherwise now. */
static void rename_keys(struct call *call, struct table_write *write,
                        const struct iam_Entity *entity, struct slice name)
{
    const struct iam *iam = call->context;
    for (size_t i = 0; i < entity->AccessKeys.n; i++) {
        struct slice id = *AWS_ITEM(entity->AccessKeys, struct slice, i);
        const struct iam_Key *found = table_get(iam->keys, id);
        if (!found)
            continue;
        struct iam_Key key = *found;
        key.UserName = name;
        table_put(write, iam->keys, id, &key);
    }
}

static void update_user(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_UpdateUserRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_USER, in->UserName);
    if (!found)
        return;
    struct iam_Entity entity = *found;
    struct iam_User user = *found->User;
    struct slice was = found->User->UserName;
    entity.User = &user;
    if (in->NewPath.p)
        user.Path = in->NewPath;
    if (in->NewUserName.p)
        user.UserName = in->NewUserName;
    user.Arn = iam_make_arn(call, "user", user.Path, user.UserName);
    bool moves = !slice_eq_nocase(user.UserName, was);
    if (moves && !iam_is_new(call, IAM_USER, user.UserName))
        return;
    struct table_write *write = table_write_new(iam->tables);
    if (moves)
        table_delete(write, iam->users, iam_key(call->arena, call->account, was));
    table_put(write, iam->users, iam_key(call->arena, call->account, user.UserName), &entity);
    rename_keys(call, write, &entity, user.UserName);
    iam_rename(call, write, &entity, IAM_USER, was, user.UserName);
    iam_commit(call, write, NULL);
}

static void list_groups(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_ListGroupsForUserRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_USER, in->UserName);
    struct iam_page page;
    if (!found ||
        !iam_page(call, in->Marker, in->MaxItems, found->Groups.items, found->Groups.n, &page))
        return;
    struct iam_ListGroupsForUserResponse answer = {{true, 0, NULL}, page.truncated, page.marker};
    for (size_t i = page.from; i < page.to; i++) {
        struct slice name = *AWS_ITEM(found->Groups, struct slice, i);
        const struct iam_Entity *group =
            table_get(iam->groups, iam_key(call->arena, call->account, name));
        if (group)
            answer.Groups = iam_list_add(call->arena, answer.Groups, &group->Group, sizeof(void *));
    }
    call_ok(call, 0, &answer);
}

void iam_users_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_CreateUser, create_user, iam);
    front_handle(front, &iam_op_GetUser, get_user, iam);
    front_handle(front, &iam_op_DeleteUser, delete_user, iam);
    front_handle(front, &iam_op_ListUsers, list_users, iam);
    front_handle(front, &iam_op_UpdateUser, update_user, iam);
    front_handle(front, &iam_op_PutUserPermissionsBoundary, put_boundary, iam);
    front_handle(front, &iam_op_DeleteUserPermissionsBoundary, delete_boundary, iam);
    front_handle(front, &iam_op_ListGroupsForUser, list_groups, iam);
}
