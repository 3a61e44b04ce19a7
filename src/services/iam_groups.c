/* Groups. Group and user each list the other; both change together. */
#include "aws/codec.h"
#include "services/iam.h"

enum { GROUPS_MAX = 10 };

static size_t position(struct aws_list names, struct slice name)
{
    size_t i = 0;
    while (i < names.n && !slice_eq_nocase(*AWS_ITEM(names, struct slice, i), name))
        i++;
    return i;
}

static void create_group(struct call *call)
{
    const struct iam_CreateGroupRequest *in = call->input;
    struct slice path = in->Path.p ? in->Path : S("/");
    struct iam_Group *group = ARENA_NEW(call->arena, iam_Group);
    const struct iam_Entity entity = {.Group = group};
    if (!iam_is_new(call, IAM_GROUP, in->GroupName))
        return;
    *group = (struct iam_Group){path, in->GroupName, iam_id(call->arena, "AGPA", IAM_ID_LETTERS),
                                iam_make_arn(call, "group", path, in->GroupName), iam_now()};
    struct iam_CreateGroupResponse *answer = ARENA_NEW(call->arena, iam_CreateGroupResponse);
    answer->Group = group;
    iam_put(call, IAM_GROUP, in->GroupName, &entity, answer);
}

static void get_group(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_GetGroupRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_GROUP, in->GroupName);
    struct iam_page page;
    if (!found ||
        !iam_page(call, in->Marker, in->MaxItems, found->Users.items, found->Users.n, &page))
        return;
    struct iam_GetGroupResponse answer = {
        found->Group, {true, 0, NULL}, page.truncated, page.marker};
    for (size_t i = page.from; i < page.to; i++) {
        const struct iam_Entity *entity =
            table_get(iam->users, iam_key(call->arena, call->account,
                                          *AWS_ITEM(found->Users, struct slice, i)));
        if (!entity)
            continue;
        struct iam_User *user = ARENA_NEW(call->arena, iam_User);
        *user = *entity->User;
        user->Tags.set = false;
        user->PermissionsBoundary = NULL;
        answer.Users = iam_list_add(call->arena, answer.Users, &user, sizeof user);
    }
    call_ok(call, 0, &answer);
}

static void delete_group(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_DeleteGroupRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_GROUP, in->GroupName);
    if (!found)
        return;
    const char *first = found->Users.n      ? "remove users from group"
                        : found->Attached.n ? "detach all policies"
                        : found->Inline.n   ? "delete policies"
                                            : NULL;
    if (first) {
        call_fail(call, "DeleteConflict", "Cannot delete entity, must %s first.", first);
        return;
    }
    struct table_write *write = table_write_new(iam->tables);
    table_delete(write, iam->groups, iam_key(call->arena, call->account, in->GroupName));
    iam_commit(call, write, NULL);
}

static void list_groups(struct call *call)
{
    const struct iam_ListGroupsRequest *in = call->input;
    struct iam_rows rows = iam_rows(call, IAM_GROUP, in->PathPrefix);
    struct iam_page page;
    if (!iam_page(call, in->Marker, in->MaxItems, rows.names, rows.count, &page))
        return;
    struct iam_Group **groups = arena_array(call->arena, rows.count + 1, sizeof *groups);
    for (size_t i = page.from; i < page.to; i++)
        groups[i] = rows.entities[i]->Group;
    const struct iam_ListGroupsResponse answer = {
        {true, page.to - page.from, groups + page.from}, page.truncated, page.marker};
    call_ok(call, 0, &answer);
}

/* ---- who is in ---- */

static void put_both(struct call *call, const struct iam_Entity *group,
                     const struct iam_Entity *user)
{
    const struct iam *iam = call->context;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->groups, iam_key(call->arena, call->account, group->Group->GroupName),
              group);
    table_put(write, iam->users, iam_key(call->arena, call->account, user->User->UserName), user);
    iam_commit(call, write, NULL);
}

static void add_user(struct call *call)
{
    const struct iam_AddUserToGroupRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_GROUP, in->GroupName);
    const struct iam_Entity *member = found ? iam_find(call, IAM_USER, in->UserName) : NULL;
    if (!member)
        return;
    if (position(found->Users, in->UserName) < found->Users.n) { /* it is in: nothing to do */
        call_ok(call, 0, NULL);
        return;
    }
    if (member->Groups.n >= GROUPS_MAX) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: %d", GROUPS_MAX);
        return;
    }
    struct iam_Entity group = *found;
    struct iam_Entity user = *member;
    group.Users =
        iam_list_add(call->arena, group.Users, &member->User->UserName, sizeof(struct slice));
    user.Groups =
        iam_list_add(call->arena, user.Groups, &found->Group->GroupName, sizeof(struct slice));
    put_both(call, &group, &user);
}

static void remove_user(struct call *call)
{
    const struct iam_RemoveUserFromGroupRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_GROUP, in->GroupName);
    const struct iam_Entity *member = found ? iam_find(call, IAM_USER, in->UserName) : NULL;
    if (!member)
        return;
    size_t at = position(found->Users, in->UserName);
    size_t back = position(member->Groups, in->GroupName);
    if (at == found->Users.n || back == member->Groups.n) {
        call_fail(call, "NoSuchEntity", "User %.*s not in group %.*s", FMT(in->UserName),
                  FMT(in->GroupName));
        return;
    }
    struct iam_Entity group = *found;
    struct iam_Entity user = *member;
    group.Users = iam_list_remove(call->arena, group.Users, at, sizeof(struct slice));
    user.Groups = iam_list_remove(call->arena, user.Groups, back, sizeof(struct slice));
    put_both(call, &group, &user);
}

/* ---- other names ---- */

static struct aws_list renamed(struct arena *arena, struct aws_list names, struct slice was,
                               struct slice is)
{
    struct slice *items = arena_array(arena, names.n + 1, sizeof *items);
    for (size_t i = 0; i < names.n; i++) {
        items[i] = *AWS_ITEM(names, struct slice, i);
        if (slice_eq_nocase(items[i], was))
            items[i] = is;
    }
    return (struct aws_list){true, names.n, items};
}

void iam_rename(struct call *call, struct table_write *write, const struct iam_Entity *entity,
                enum iam_kind kind, struct slice was, struct slice is)
{
    const struct iam *iam = call->context;
    bool group = kind == IAM_GROUP;
    struct table *others = group ? iam->users : iam->groups;
    struct aws_list names = group ? entity->Users : entity->Groups;
    const struct iam_Attachment row = {slice_str(iam_word(kind)), is};
    for (size_t i = 0; i < names.n; i++) {
        struct slice key = iam_key(call->arena, call->account, *AWS_ITEM(names, struct slice, i));
        const struct iam_Entity *found = table_get(others, key);
        if (!found)
            continue;
        struct iam_Entity other = *found;
        other.Users = renamed(call->arena, found->Users, was, is);
        other.Groups = renamed(call->arena, found->Groups, was, is);
        table_put(write, others, key, &other);
    }
    for (size_t i = 0; i < entity->Attached.n; i++) {
        struct slice arn = (*AWS_ITEM(entity->Attached, struct iam_AttachedPolicy *, i))->PolicyArn;
        table_delete(write, iam->attachments,
                     iam_attachment_key(call->arena, call->account, arn, kind, was));
        table_put(write, iam->attachments,
                  iam_attachment_key(call->arena, call->account, arn, kind, is), &row);
    }
}

static void update_group(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_UpdateGroupRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_GROUP, in->GroupName);
    if (!found)
        return;
    struct iam_Entity entity = *found;
    struct iam_Group group = *found->Group;
    struct slice was = found->Group->GroupName;
    entity.Group = &group;
    if (in->NewPath.p)
        group.Path = in->NewPath;
    if (in->NewGroupName.p)
        group.GroupName = in->NewGroupName;
    group.Arn = iam_make_arn(call, "group", group.Path, group.GroupName);
    bool moves = !slice_eq_nocase(group.GroupName, was);
    if (moves && !iam_is_new(call, IAM_GROUP, group.GroupName))
        return;
    struct table_write *write = table_write_new(iam->tables);
    if (moves)
        table_delete(write, iam->groups, iam_key(call->arena, call->account, was));
    table_put(write, iam->groups, iam_key(call->arena, call->account, group.GroupName), &entity);
    iam_rename(call, write, &entity, IAM_GROUP, was, group.GroupName);
    iam_commit(call, write, NULL);
}

void iam_groups_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_CreateGroup, create_group, iam);
    front_handle(front, &iam_op_GetGroup, get_group, iam);
    front_handle(front, &iam_op_DeleteGroup, delete_group, iam);
    front_handle(front, &iam_op_ListGroups, list_groups, iam);
    front_handle(front, &iam_op_UpdateGroup, update_group, iam);
    front_handle(front, &iam_op_AddUserToGroup, add_user, iam);
    front_handle(front, &iam_op_RemoveUserFromGroup, remove_user, iam);
}
