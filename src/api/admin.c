#include "api/admin.h"

#include "api/internal.h"
#include "env/pool.h"
#include "model/code.h"
#include "store/db.h"
#include "store/log_store.h"

#include <dirent.h>

#define RESET_PATH "/_lambkin/reset"
#define COLD_PATH "/_lambkin/cold/"

enum {
    RESET_MAGIC = 0x72657365,
    GROUPS_AT_ONCE = 1000,
    VERSIONS_MAX = 10000, /* those of one function that can have environments */
};

static void answer_done(struct call *call)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    call_raw(call, 200, json, 1, S("{}"));
}

/* ---- the next invocation is cold ---- */

static void on_cold(struct call *call)
{
    const struct admin_context *admin = call->context;
    struct functions *functions = admin->api->functions;
    struct slice path = call->http->path;
    const struct function **found = NULL;
    const struct function_page page = {.account = call->account,
                                       .region = call->region,
                                       .name = slice_sub(path, sizeof COLD_PATH - 1, path.n),
                                       .all_versions = true,
                                       .limit = VERSIONS_MAX};
    const struct function *latest =
        functions_find(functions, page.account, page.region, page.name, (struct slice){NULL, 0});
    if (!latest) {
        call_fail(call, "ResourceNotFoundException", "Function not found: %.*s", FMT(page.name));
        return;
    }
    size_t n = functions_list(functions, call->arena, &page, &found);
    for (size_t i = 0; i < n; i++)
        pool_retire(admin->api->pool, found[i]);
    answer_done(call);
}

/* ---- everything is gone ---- */

struct place { /* an account and region that has log groups */
    struct log_where where;
    struct place *next;
};

struct reset { /* in the call's arena */
    uint32_t magic;
    struct call *call;
    struct admin_context *admin;
    const char **layers; /* digests that layer versions used */
    size_t layer_count;
    struct place *places; /* whose logs are to be deleted yet */
    size_t deleting;
    struct err err;
};

static void next_place(struct reset *reset);

static void finish(struct reset *reset)
{
    if (reset->err.fault != FAULT_NONE)
        api_store_failed(reset->call, &reset->err);
    else
        answer_done(reset->call);
}

static void on_group_gone(void *arg, const struct err *err)
{
    struct reset *reset = CAST(reset, arg, RESET_MAGIC);
    if (err && err->fault != FAULT_NOT_FOUND)
        reset->err = *err;
    if (--reset->deleting == 0)
        next_place(reset);
}

static void on_groups(void *arg, const struct log_group_info *groups, size_t count, bool more,
                      const struct err *err)
{
    struct reset *reset = CAST(reset, arg, RESET_MAGIC);
    struct place *place = reset->places;
    if (err)
        reset->err = *err;
    if (!more || err)
        reset->places = place->next; /* else it has its turn again */
    reset->deleting = count + 1;
    for (size_t i = 0; i < count; i++) {
        struct log_where where = place->where;
        where.group = groups[i].name;
        log_group_delete(reset->admin->logs, &where, on_group_gone, reset);
    }
    on_group_gone(reset, NULL);
}

static void next_place(struct reset *reset)
{
    if (!reset->places || reset->err.fault != FAULT_NONE) {
        finish(reset);
        return;
    }
    const struct log_groups_query query = {.where = reset->places->where, .limit = GROUPS_AT_ONCE};
    log_groups(reset->admin->logs, reset->call->arena, &query, on_groups, reset);
}

/* Accounts and regions have folders of their names. */
static void find_places(struct reset *reset)
{
    struct arena *arena = reset->call->arena;
    DIR *accounts = opendir(reset->admin->logs_dir);
    for (struct dirent *a; accounts && (a = readdir(accounts));) {
        struct slice path = arena_printf(arena, "%s/%s", reset->admin->logs_dir, a->d_name);
        DIR *regions = *a->d_name == '.' ? NULL : opendir(path.p);
        for (struct dirent *r; regions && (r = readdir(regions));) {
            if (*r->d_name == '.')
                continue;
            struct place *place = ARENA_NEW(arena, place);
            place->where.account = arena_dup(arena, slice_str(a->d_name));
            place->where.region = arena_dup(arena, slice_str(r->d_name));
            place->next = reset->places;
            reset->places = place;
        }
        if (regions)
            closedir(regions);
    }
    if (accounts)
        closedir(accounts);
}

static void on_rows_gone(void *arg, const struct err *err)
{
    struct reset *reset = CAST(reset, arg, RESET_MAGIC);
    struct functions *functions = reset->admin->api->functions;
    if (err) {
        reset->err = *err;
        finish(reset);
        return;
    }
    functions_clear(functions);
    for (size_t i = 0; i < reset->layer_count; i++)
        code_release(functions_codes(functions), reset->layers[i]);
    find_places(reset);
    next_place(reset);
}

static void note_layers(struct reset *reset)
{
    struct arena *arena = reset->call->arena;
    const struct table_row *rows = NULL;
    const struct resources *resources = functions_resources(reset->admin->api->functions);
    size_t n = table_list(resources->layer_versions, arena, S(""), &rows);
    reset->layers = arena_array(arena, n + 1, sizeof *reset->layers);
    for (size_t i = 0; i < n; i++)
        reset->layers[i] =
            arena_str(arena, ((const struct store_LayerVersion *)rows[i].value)->Code);
    reset->layer_count = n;
}

static void on_reset(struct call *call)
{
    struct admin_context *admin = call->context;
    struct tables *tables = functions_resources(admin->api->functions)->tables;
    struct reset *reset = ARENA_NEW(call->arena, reset);
    *reset = (struct reset){.magic = RESET_MAGIC, .call = call, .admin = admin};
    note_layers(reset);
    struct table_write *write = table_write_new(tables);
    tables_delete_all(write);
    db_write_add(table_write_sql(write), DB_ANY_ROWS, "DELETE FROM functions", NULL, 0);
    table_commit(write, on_rows_gone, reset);
}

void admin_register(struct front *front, struct admin_context *context)
{
    front_handle_path(front, "POST", RESET_PATH, on_reset, context);
    front_handle_path(front, "POST", COLD_PATH, on_cold, context);
}
