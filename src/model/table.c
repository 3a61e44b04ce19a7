#include "model/table.h"

#include "aws/codec.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/document.h"
#include "store/db.h"

#include <stdio.h>

enum {
    TABLE_MAGIC = 0x7461626c,
    WRITE_MAGIC = 0x74777274,
    DOCUMENT_MAX = 16 << 20,
    SQL_MAX = 160,
    LISTENERS_MAX = 2,
};

struct row {
    char *key;
    size_t key_n;
    struct document *document;
};

struct table {
    uint32_t magic;
    struct list link;
    struct tables *tables;
    const char *name;
    const struct aws_shape *shape;
    char insert[SQL_MAX];
    char remove[SQL_MAX];
    struct {
        table_changed *changed;
        void *arg;
    } listeners[LISTENERS_MAX];
    size_t listener_count;
    struct row *rows; /* in the order of their keys */
    size_t n;
    size_t cap;
};

struct tables {
    struct db *db;
    struct list all;
    struct list writing; /* struct table_write, the oldest first */
};

/* What a write does to one row, and how to take it back. */
struct change {
    struct list link;
    struct table *table;
    struct slice key;
    struct document *after;  /* NULL: deleted */
    struct document *before; /* NULL: there was none. Known once the change is applied. */
};

struct table_write {
    uint32_t magic;
    struct list link;
    struct tables *tables;
    struct arena *arena; /* owns this too */
    struct db_write *sql;
    struct list changes;
    bool undone;
    table_done *done;
    void *arg;
};

/* ---- rows ---- */

static const void *row_value(const struct table *table, const struct row *row)
{
    struct err err;
    const void *value = document_value(row->document, table->shape, &err);
    if (!value)
        log_error("table.damaged", "table=%s key=%.*s err=%s", table->name, (int)row->key_n,
                  row->key, err.msg);
    return value;
}

static struct slice key_of(const struct row *row)
{
    return (struct slice){row->key, row->key_n};
}

/* The first row whose key is not less. */
static size_t lower_bound(const struct table *table, struct slice key)
{
    size_t from = 0;
    size_t to = table->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (slice_cmp(key_of(&table->rows[middle]), key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct row *find(const struct table *table, struct slice key)
{
    size_t at = lower_bound(table, key);
    return at < table->n && slice_eq(key_of(&table->rows[at]), key) ? &table->rows[at] : NULL;
}

static struct row *insert(struct table *table, struct slice key)
{
    size_t at = lower_bound(table, key);
    if (table->n == table->cap) {
        table->cap = table->cap ? table->cap * 2 : 16;
        table->rows = mem_grow(table->rows, table->cap * sizeof *table->rows);
    }
    memmove(&table->rows[at + 1], &table->rows[at], (table->n - at) * sizeof *table->rows);
    table->n++;
    table->rows[at] = (struct row){mem_str(key), key.n, NULL};
    return &table->rows[at];
}

static void remove_row(struct table *table, struct row *row)
{
    size_t at = (size_t)(row - table->rows);
    free(row->key);
    document_unref(row->document);
    memmove(row, row + 1, (table->n - at - 1) * sizeof *row);
    table->n--;
}

/* Takes over a reference. */
static void set(struct table *table, struct slice key, struct document *document)
{
    struct row *row = find(table, key);
    if (!document) {
        if (row)
            remove_row(table, row);
        return;
    }
    if (!row)
        row = insert(table, key);
    document_unref(row->document);
    row->document = document;
}

const void *table_get(const struct table *table, struct slice key)
{
    const struct row *row = find(table, key);
    return row ? row_value(table, row) : NULL;
}

bool table_has(const struct table *table, struct slice key)
{
    return find(table, key) != NULL;
}

size_t table_count(const struct table *table, struct slice prefix)
{
    size_t from = lower_bound(table, prefix);
    size_t at = from;
    while (at < table->n && slice_starts(key_of(&table->rows[at]), prefix))
        at++;
    return at - from;
}

size_t table_page(const struct table *table, struct arena *arena, struct slice prefix,
                  struct slice after, size_t limit, const struct table_row **out)
{
    size_t at = lower_bound(table, after.p && slice_cmp(after, prefix) > 0 ? after : prefix);
    size_t end = lower_bound(table, prefix) + table_count(table, prefix);
    if (at < end && after.p && slice_eq(key_of(&table->rows[at]), after))
        at++;
    size_t left = at < end ? end - at : 0;
    struct table_row *rows = arena_array(arena, left < limit ? left + 1 : limit + 1, sizeof *rows);
    size_t n = 0;
    for (; at < end && n < limit; at++) {
        const void *value = row_value(table, &table->rows[at]);
        if (value)
            rows[n++] = (struct table_row){key_of(&table->rows[at]), value};
    }
    *out = rows;
    return n;
}

size_t table_list(const struct table *table, struct arena *arena, struct slice prefix,
                  const struct table_row **out)
{
    return table_page(table, arena, prefix, (struct slice){NULL, 0}, table->n, out);
}

/* ---- writes ---- */

struct table_write *table_write_new(struct tables *tables)
{
    struct arena *arena = arena_new();
    struct table_write *write = ARENA_NEW(arena, table_write);
    write->magic = WRITE_MAGIC;
    write->arena = arena;
    write->tables = tables;
    write->sql = db_write_new();
    list_init(&write->changes);
    list_init(&write->link);
    return write;
}

static void drop_documents(struct change *change)
{
    document_unref(change->after);
    document_unref(change->before);
}

static void free_write(struct table_write *write)
{
    LIST_EACH(link, &write->changes)
    {
        drop_documents(LIST_ITEM(link, change, link));
    }
    list_remove(&write->link);
    db_write_free(write->sql);
    arena_free(write->arena);
}

void table_write_free(struct table_write *write)
{
    if (write)
        free_write(CAST(table_write, write, WRITE_MAGIC));
}

struct db_write *table_write_sql(struct table_write *write)
{
    return write->sql;
}

static struct change *add(struct table_write *write, struct table *table, struct slice key)
{
    struct change *change = ARENA_NEW(write->arena, change);
    change->table = table;
    change->key = arena_dup(write->arena, key);
    list_push_back(&write->changes, &change->link);
    return change;
}

void table_put(struct table_write *write, struct table *table, struct slice key, const void *value)
{
    AUTO(buf) struct buf json = BUF_INIT(DOCUMENT_MAX);
    aws_encode_struct(table->shape, value, &json);
    must(!json.over);
    struct change *change = add(write, table, key);
    change->after = document_new(buf_all(&json));
    const struct db_value values[] = {DB_TEXT(change->key), DB_TEXT(document_json(change->after))};
    db_write_add(write->sql, 1, table->insert, values, 2);
}

void table_delete(struct table_write *write, struct table *table, struct slice key)
{
    const struct change *change = add(write, table, key);
    const struct db_value values[] = {DB_TEXT(change->key)};
    db_write_add(write->sql, DB_ANY_ROWS, table->remove, values, 1);
}

void table_delete_below(struct table_write *write, struct table *table, struct slice prefix)
{
    size_t at = lower_bound(table, prefix);
    for (; at < table->n && slice_starts(key_of(&table->rows[at]), prefix); at++)
        table_delete(write, table, key_of(&table->rows[at]));
}

void tables_delete_all(struct table_write *write)
{
    LIST_EACH(link, &write->tables->all)
    {
        table_delete_below(write, LIST_ITEM(link, table, link), S(""));
    }
}

/* The newest change first: a row may be there twice. */
static void undo(struct table_write *write)
{
    for (struct list *link = write->changes.prev; link != &write->changes; link = link->prev) {
        struct change *change = LIST_ITEM(link, change, link);
        set(change->table, change->key, document_ref(change->before));
    }
    write->undone = true;
}

/* The database writes nothing more of what is under way when it says that one write failed. */
static void undo_all(struct tables *tables)
{
    for (struct list *link = tables->writing.prev; link != &tables->writing; link = link->prev)
        undo(LIST_ITEM(link, table_write, link));
}

static const void *value_of(const struct table *table, struct document *document)
{
    struct err err; /* who asks for the row itself hears that it is damaged */
    return document ? document_value(document, table->shape, &err) : NULL;
}

static void tell(const struct table_write *write)
{
    LIST_EACH(link, &write->changes)
    {
        const struct change *change = LIST_ITEM(link, change, link);
        const struct table *table = change->table;
        for (size_t i = 0; i < table->listener_count; i++) {
            const void *before = value_of(table, change->before);
            const void *after = value_of(table, change->after);
            table->listeners[i].changed(table->listeners[i].arg, change->key,
                                        write->undone ? after : before,
                                        write->undone ? before : after);
        }
    }
}

static void on_written(void *arg, const struct err *err)
{
    struct table_write *write = CAST(table_write, arg, WRITE_MAGIC);
    struct tables *tables = write->tables;
    if (err && !write->undone) {
        undo_all(tables);
        LIST_EACH(link, &tables->writing)
        {
            tell(LIST_ITEM(link, table_write, link));
        }
    }
    list_remove(&write->link);
    write->done(write->arg,
                err); /* what it answers may still lie in a document that was replaced */
    if (err)
        tell(write); /* once more: rows may count again that `done` has made ready for it */
    free_write(write);
}

void table_commit(struct table_write *write, table_done *done, void *arg)
{
    struct tables *tables = write->tables;
    write->done = done;
    write->arg = arg;
    LIST_EACH(link, &write->changes)
    {
        struct change *change = LIST_ITEM(link, change, link);
        const struct row *row = find(change->table, change->key);
        change->before = row ? document_ref(row->document) : NULL;
        set(change->table, change->key, document_ref(change->after));
    }
    list_push_back(&tables->writing, &write->link);
    db_submit(tables->db, STEAL(write->sql), on_written, write);
    tell(write);
}

void table_on_change(struct table *table, table_changed *changed, void *arg)
{
    must(table->listener_count < LISTENERS_MAX);
    table->listeners[table->listener_count].changed = changed;
    table->listeners[table->listener_count++].arg = arg;
}

void tables_unlisten(struct tables *tables)
{
    LIST_EACH(link, &tables->all)
    {
        LIST_ITEM(link, table, link)->listener_count = 0;
    }
}

/* ---- opening ---- */

struct tables *tables_open(struct db *db)
{
    struct tables *tables = NEW(tables);
    tables->db = db;
    list_init(&tables->all);
    list_init(&tables->writing);
    return tables;
}

static void table_free(struct table *table)
{
    while (table->n)
        remove_row(table, &table->rows[table->n - 1]);
    list_remove(&table->link);
    free(table->rows);
    free(table);
}

void tables_close(struct tables *tables)
{
    if (!tables)
        return;
    LIST_EACH(link, &tables->writing)
    {
        free_write(LIST_ITEM(link, table_write, link));
    }
    LIST_EACH(link, &tables->all)
    {
        table_free(LIST_ITEM(link, table, link));
    }
    free(tables);
}

static bool load_row(void *arg, const struct db_value *columns, size_t count, struct err *err)
{
    struct table *table = arg;
    (void)err;
    must(count == 2);
    set(table, columns[0].text, document_new(columns[1].text));
    return true;
}

struct table *table_open(struct tables *tables, const char *name, const struct aws_shape *shape,
                         struct err *err)
{
    struct table *table = NEW(table);
    char sql[SQL_MAX];
    table->magic = TABLE_MAGIC;
    table->tables = tables;
    table->name = name;
    table->shape = shape;
    list_push_back(&tables->all, &table->link);
    snprintf(table->insert, SQL_MAX,
             "INSERT INTO %s (key, value) VALUES ($1, $2) "
             "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
             name);
    snprintf(table->remove, SQL_MAX, "DELETE FROM %s WHERE key = $1", name);
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS %s (key TEXT PRIMARY KEY, value TEXT NOT NULL)", name);
    if (!db_exec(tables->db, sql, err))
        return NULL;
    snprintf(sql, sizeof sql, "SELECT key, value FROM %s ORDER BY key", name);
    return db_read(tables->db, sql, load_row, table, err) ? table : NULL;
}
