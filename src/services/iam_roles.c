/* Roles: what CreateRole makes and the operations on it. */
#include "aws/codec.h"
#include "services/iam.h"

enum { SESSION_DEFAULT = 3600, TRUST_MAX = 2048 };

/* As answers have it: the document encoded. A copy; what it points to is borrowed. */
static struct iam_Role *shown(struct call *call, const struct iam_Role *role)
{
    struct iam_Role *copy = ARENA_NEW(call->arena, iam_Role);
    *copy = *role;
    copy->AssumeRolePolicyDocument =
        iam_document_encode(call->arena, role->AssumeRolePolicyDocument);
    return copy;
}

static bool check_trust(struct call *call, struct slice document)
{
    if (!iam_document_check(call, document, IAM_TRUST_POLICY))
        return false;
    if (iam_document_size(document) <= TRUST_MAX)
        return true;
    call_fail(call, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d", TRUST_MAX);
    return false;
}

static void create_role(struct call *call)
{
    const struct iam_CreateRoleRequest *in = call->input;
    struct slice path = in->Path.p ? in->Path : S("/");
    struct iam_Role *role = ARENA_NEW(call->arena, iam_Role);
    struct iam_Role *answered = ARENA_NEW(call->arena, iam_Role);
    struct iam_Entity entity = {.Role = role};
    if (!check_trust(call, in->AssumeRolePolicyDocument) ||
        !iam_is_new(call, IAM_ROLE, in->RoleName) ||
        !iam_boundary(call, in->PermissionsBoundary, &role->PermissionsBoundary) ||
        !iam_tags_merge(call, role->Tags, in->Tags, &role->Tags))
        return;
    role->Path = path;
    role->RoleName = in->RoleName;
    role->RoleId = iam_id(call->arena, "AROA", IAM_ID_LETTERS);
    role->Arn = iam_make_arn(call, "role", path, in->RoleName);
    role->CreateDate = iam_now();
    role->AssumeRolePolicyDocument = in->AssumeRolePolicyDocument;
    role->Description = in->Description;
    role->MaxSessionDuration =
        OPT_I64(in->MaxSessionDuration.set ? in->MaxSessionDuration.v : SESSION_DEFAULT);
    *answered = *shown(call, role);
    if (!in->MaxSessionDuration.set) /* AWS tells the default only when it reads the role */
        answered->MaxSessionDuration.set = false;
    struct iam_CreateRoleResponse *answer = ARENA_NEW(call->arena, iam_CreateRoleResponse);
    answer->Role = answered;
    iam_put(call, IAM_ROLE, in->RoleName, &entity, answer);
}

static void get_role(struct call *call)
{
    const struct iam_GetRoleRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_ROLE, in->RoleName);
    struct iam_RoleLastUsed unused = {0};
    if (!found)
        return;
    struct iam_GetRoleResponse answer = {shown(call, found->Role)};
    answer.Role->RoleLastUsed = &unused;
    call_ok(call, 0, &answer);
}

static void delete_role(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_DeleteRoleRequest *in = call->input;
    const struct iam_Entity *found = iam_find(call, IAM_ROLE, in->RoleName);
    if (!found)
        return;
    if (found->Attached.n || found->Inline.n) {
        call_fail(call, "DeleteConflict", "Cannot delete entity, must %s policies first.",
                  found->Attached.n ? "detach all" : "delete");
        return;
    }
    struct table_write *write = table_write_new(iam->tables);
    table_delete(write, iam->roles, iam_key(call->arena, call->account, in->RoleName));
    iam_commit(call, write, NULL);
}

static void list_roles(struct call *call)
{
    const struct iam_ListRolesRequest *in = call->input;
    struct iam_rows rows = iam_rows(call, IAM_ROLE, in->PathPrefix);
    struct iam_page page;
    if (!iam_page(call, in->Marker, in->MaxItems, rows.names, rows.count, &page))
        return;
    struct iam_Role **roles = arena_array(call->arena, rows.count + 1, sizeof *roles);
    for (size_t i = page.from; i < page.to; i++) {
        roles[i] = shown(call, rows.entities[i]->Role);
        roles[i]->Tags.set = false; /* AWS: tags and boundary only one by one */
        roles[i]->PermissionsBoundary = NULL;
    }
    const struct iam_ListRolesResponse answer = {
        {true, page.to - page.from, roles + page.from}, page.truncated, page.marker};
    call_ok(call, 0, &answer);
}

/* ---- changes of one ---- */

/* A copy of the role and of what surrounds it, to be changed and put back. NULL: answered. */
static struct iam_Role *change(struct call *call, struct slice name, struct iam_Entity *entity)
{
    const struct iam_Entity *found = iam_find(call, IAM_ROLE, name);
    if (!found)
        return NULL;
    struct iam_Role *role = ARENA_NEW(call->arena, iam_Role);
    *role = *found->Role;
    *entity = *found;
    entity->Role = role;
    return role;
}

static void update_role(struct call *call)
{
    const struct iam_UpdateRoleRequest *in = call->input;
    struct iam_Entity entity;
    struct iam_Role *role = change(call, in->RoleName, &entity);
    if (!role)
        return;
    if (in->Description.p)
        role->Description = in->Description;
    if (in->MaxSessionDuration.set)
        role->MaxSessionDuration = in->MaxSessionDuration;
    iam_put(call, IAM_ROLE, in->RoleName, &entity, ARENA_NEW(call->arena, iam_UpdateRoleResponse));
}

/* The whole role is answered: as it stands, once it is on disk. */
static void on_described(void *arg, const struct err *err)
{
    struct call *call = arg;
    const struct iam_UpdateRoleDescriptionRequest *in = call->input;
    if (err) {
        call_fail_err(call, err);
        return;
    }
    const struct iam_Entity *found = iam_find(call, IAM_ROLE, in->RoleName);
    if (!found)
        return;
    const struct iam_UpdateRoleDescriptionResponse answer = {shown(call, found->Role)};
    call_ok(call, 0, &answer);
}

static void update_role_description(struct call *call)
{
    const struct iam *iam = call->context;
    const struct iam_UpdateRoleDescriptionRequest *in = call->input;
    struct iam_Entity entity;
    struct iam_Role *role = change(call, in->RoleName, &entity);
    if (!role)
        return;
    role->Description = in->Description;
    struct table_write *write = table_write_new(iam->tables);
    table_put(write, iam->roles, iam_key(call->arena, call->account, in->RoleName), &entity);
    table_commit(write, on_described, call);
}

static void update_trust(struct call *call)
{
    const struct iam_UpdateAssumeRolePolicyRequest *in = call->input;
    struct iam_Entity entity;
    struct iam_Role *role = change(call, in->RoleName, &entity);
    if (!role || !check_trust(call, in->PolicyDocument))
        return;
    role->AssumeRolePolicyDocument = in->PolicyDocument;
    iam_put(call, IAM_ROLE, in->RoleName, &entity, NULL);
}

static void put_boundary(struct call *call)
{
    const struct iam_PutRolePermissionsBoundaryRequest *in = call->input;
    struct iam_Entity entity;
    struct iam_Role *role = change(call, in->RoleName, &entity);
    if (role && iam_boundary(call, in->PermissionsBoundary, &role->PermissionsBoundary))
        iam_put(call, IAM_ROLE, in->RoleName, &entity, NULL);
}

static void delete_boundary(struct call *call)
{
    const struct iam_DeleteRolePermissionsBoundaryRequest *in = call->input;
    struct iam_Entity entity;
    struct iam_Role *role = change(call, in->RoleName, &entity);
    if (!role)
        return;
    role->PermissionsBoundary = NULL;
    iam_put(call, IAM_ROLE, in->RoleName, &entity, NULL);
}

/* There are none, as none can be made: CreateInstanceProfile is not implemented. */
static void list_instance_profiles(struct call *call)
{
    const struct iam_ListInstanceProfilesForRoleRequest *in = call->input;
    const struct iam_ListInstanceProfilesForRoleResponse answer = {
        {true, 0, NULL}, OPT_BOOL(false), {NULL, 0}};
    if (iam_find(call, IAM_ROLE, in->RoleName))
        call_ok(call, 0, &answer);
}

void iam_roles_register(struct front *front, struct iam *iam)
{
    front_handle(front, &iam_op_CreateRole, create_role, iam);
    front_handle(front, &iam_op_GetRole, get_role, iam);
    front_handle(front, &iam_op_DeleteRole, delete_role, iam);
    front_handle(front, &iam_op_ListRoles, list_roles, iam);
    front_handle(front, &iam_op_UpdateRole, update_role, iam);
    front_handle(front, &iam_op_UpdateRoleDescription, update_role_description, iam);
    front_handle(front, &iam_op_UpdateAssumeRolePolicy, update_trust, iam);
    front_handle(front, &iam_op_PutRolePermissionsBoundary, put_boundary, iam);
    front_handle(front, &iam_op_DeleteRolePermissionsBoundary, delete_boundary, iam);
    front_handle(front, &iam_op_ListInstanceProfilesForRole, list_instance_profiles, iam);
}
