#include "store/db.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>

/* Durability. WAL with synchronous=FULL: a commit is one append and one fsync, where the rollback
 * journal needs three or four; a torn append is recognised by its checksums and forgotten, so a
 * kill or a power cut at any moment leaves the last acknowledged state. locking_mode=EXCLUSIVE
 * keeps the WAL's index in our own memory instead of a mapped file: nobody else may open the
 * database anyway.
 *
 * A transaction takes everything that waits, each write behind a savepoint of its own, so a write
 * that fails takes none with it that came before. When the transaction as a whole fails (disk
 * full), its writes are tried again one by one: those before the one that does not fit are kept.
 *
 * Those behind a failed write fail, too, until the loop has heard of it: rounds tell which these
 * are. */

enum { DB_MAGIC = 0x4442, COLUMNS_MAX = 16 };

static const char *const pragmas =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA cache_size=-512; PRAGMA journal_size_limit=1048576; PRAGMA trusted_schema=OFF;"
    "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON;";

struct statement {
    struct list link;
    const char *sql;
    int rows;
    size_t count;
    struct db_value *values;
};

struct db_write {
    struct list link;
    struct arena *arena; /* owns this too */
    struct list statements;
    db_done *done;
    void *arg;
    uint64_t round;
    bool failed; /* state: set by the worker */
    struct err err;
};

struct db {
    uint32_t magic;
    int lock; /* configuration */
    sqlite3 *sqlite;
    uv_async_t wake;
    uv_thread_t thread; /* state */
    bool started;
    size_t pending;      /* submitted and not yet answered: they keep the loop alive */
    uint64_t round;      /* of what is submitted now; grows when a failure is told */
    uint64_t lost_round; /* the worker's: nothing more of it can be written */
    struct err lost_why;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t work;
    struct list queue;
    struct list finished;
    bool closing;
};

static bool fail_sqlite(sqlite3 *sqlite, int code, const char *doing, struct err *err)
{
    int os = sqlite ? sqlite3_system_errno(sqlite) : 0;
    const char *why = sqlite ? sqlite3_errmsg(sqlite) : sqlite3_errstr(code);
    err_set(err, FAULT_INTERNAL, "%s: %s", doing, why);
    err->os = code == SQLITE_FULL ? ENOSPC : os;
    return false;
}

static bool run(sqlite3 *sqlite, const char *sql, struct err *err)
{
    int code = sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || fail_sqlite(sqlite, code & 0xff, sql, err);
}

/* ---- worker ---- */

static bool bind_values(sqlite3_stmt *stmt, const struct statement *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct db_value *v = &s->values[i];
        int at = (int)i + 1;
        int code = v->is_int   ? sqlite3_bind_int64(stmt, at, v->i)
                   : v->text.p ? sqlite3_bind_text64(stmt, at, v->text.p, v->text.n, SQLITE_STATIC,
                                                     SQLITE_UTF8)
                               : sqlite3_bind_null(stmt, at);
        if (code != SQLITE_OK)
            return false;
    }
    return true;
}

static bool run_statement(sqlite3 *sqlite, const struct statement *s, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(sqlite, s->sql, -1, &stmt, NULL);
    if (code == SQLITE_OK && bind_values(stmt, s))
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
            continue;
    bool ok = code == SQLITE_DONE || fail_sqlite(sqlite, code & 0xff, s->sql, err);
    sqlite3_finalize(stmt);
    int changed = sqlite3_changes(sqlite);
    if (ok && s->rows != DB_ANY_ROWS && s->rows != changed)
        return err_set(err, FAULT_INTERNAL, "%s: %d rows changed, not %d", s->sql, changed,
                       s->rows);
    return ok;
}

static bool run_write(sqlite3 *sqlite, const struct db_write *write, struct err *err)
{
    LIST_EACH(link, &write->statements)
    {
        if (!run_statement(sqlite, LIST_ITEM(link, statement, link), err))
            return false;
    }
    return true;
}

/* SQLite may have ended the transaction itself (disk full, I/O error). */
static void roll_back(sqlite3 *sqlite)
{
    if (!sqlite3_get_autocommit(sqlite))
        sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
}

static void lose(struct db *db, struct db_write *write, const struct err *why)
{
    write->failed = true;
    write->err = *why;
    db->lost_round = write->round;
    db->lost_why = *why;
}

static bool in_savepoint(struct db *db, struct db_write *write, struct err *err)
{
    sqlite3 *sqlite = db->sqlite;
    struct err why;
    write->failed = false;
    if (write->round <= db->lost_round) {
        lose(db, write, &db->lost_why);
        return true;
    }
    if (!run(sqlite, "SAVEPOINT one", err))
        return false;
    if (run_write(sqlite, write, &why))
        return run(sqlite, "RELEASE one", err);
    lose(db, write, &why);
    if (sqlite3_get_autocommit(sqlite)) {
        *err = why;
        return false;
    }
    return run(sqlite, "ROLLBACK TO one", err) && run(sqlite, "RELEASE one", err);
}

static bool transact(struct db *db, struct list *writes, struct err *err)
{
    sqlite3 *sqlite = db->sqlite;
    bool ok = run(sqlite, "BEGIN IMMEDIATE", err);
    LIST_EACH(link, writes)
    {
        ok = ok && in_savepoint(db, LIST_ITEM(link, db_write, link), err);
    }
    ok = ok && run(sqlite, "COMMIT", err);
    if (!ok)
        roll_back(sqlite);
    return ok;
}

static void move_all(struct list *from, struct list *to)
{
    LIST_EACH(link, from)
    {
        list_remove(link);
        list_push_back(to, link);
    }
}

static void write_all(struct db *db, struct list *writes)
{
    struct err err = {0};
    uint64_t lost_round = db->lost_round;
    if (transact(db, writes, &err))
        return;
    db->lost_round = lost_round;
    bool several = writes->next->next != writes;
    struct list tried;
    list_init(&tried);
    LIST_EACH(link, writes)
    {
        struct db_write *write = LIST_ITEM(link, db_write, link);
        struct list one;
        list_init(&one);
        list_remove(link);
        list_push_back(&one, link);
        if (!several || !transact(db, &one, &err))
            lose(db, write, &err);
        list_remove(link);
        list_push_back(&tried, link);
    }
    move_all(&tried, writes);
}

static void work(void *arg)
{
    struct db *db = CAST(db, arg, DB_MAGIC);
    struct list batch;
    list_init(&batch);
    uv_mutex_lock(&db->mutex);
    for (;;) {
        while (list_empty(&db->queue) && !db->closing)
            uv_cond_wait(&db->work, &db->mutex);
        if (list_empty(&db->queue))
            break;
        move_all(&db->queue, &batch);
        uv_mutex_unlock(&db->mutex);
        write_all(db, &batch);
        uv_mutex_lock(&db->mutex);
        move_all(&batch, &db->finished);
        uv_async_send(&db->wake);
    }
    uv_mutex_unlock(&db->mutex);
}

/* ---- loop ---- */

static void on_wake(uv_async_t *wake)
{
    struct db *db = CAST(db, wake->data, DB_MAGIC);
    struct list finished;
    list_init(&finished);
    uv_mutex_lock(&db->mutex);
    move_all(&db->finished, &finished);
    uv_mutex_unlock(&db->mutex);
    LIST_EACH(link, &finished)
    {
        struct db_write *write = LIST_ITEM(link, db_write, link);
        list_remove(link);
        if (--db->pending == 0)
            uv_unref((uv_handle_t *)&db->wake);
        if (write->failed && write->round == db->round)
            db->round++;
        write->done(write->arg, write->failed ? &write->err : NULL);
        db_write_free(write);
    }
}

static bool open_sqlite(struct db *db, const char *dir, struct err *err)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/lambkin.db", dir) >= sizeof path)
        return err_set(err, FAULT_INVALID, "path of the data folder is too long");
    /* Made here for its mode, which SQLite gives to the WAL too. */
    AUTO(fd) int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_os(err, errno, "open %s", path);
    int code =
        sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return fail_sqlite(db->sqlite, code & 0xff, path, err);
    sqlite3_extended_result_codes(db->sqlite, 1);
    return run(db->sqlite, pragmas, err) || err_add(err, "open %s", path);
}

struct db *db_open(uv_loop_t *loop, const char *dir, struct err *err)
{
    AUTO(fd) int lock = store_lock(dir, err);
    if (lock < 0)
        return NULL;
    struct db *db = NEW(db);
    db->magic = DB_MAGIC;
    db->round = 1;
    list_init(&db->queue);
    list_init(&db->finished);
    if (!open_sqlite(db, dir, err)) {
        sqlite3_close(db->sqlite);
        free(db);
        return NULL;
    }
    db->lock = fd_take(&lock);
    must(uv_mutex_init(&db->mutex) == 0 && uv_cond_init(&db->work) == 0);
    must(uv_async_init(loop, &db->wake, on_wake) == 0);
    uv_unref((uv_handle_t *)&db->wake);
    db->wake.data = db;
    return db;
}

static void on_closed(uv_handle_t *handle)
{
    struct db *db = CAST(db, handle->data, DB_MAGIC);
    free(db);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->started) {
        uv_mutex_lock(&db->mutex);
        db->closing = true;
        uv_cond_signal(&db->work);
        uv_mutex_unlock(&db->mutex);
        must(uv_thread_join(&db->thread) == 0);
    }
    LIST_EACH(link, &db->finished)
    {
        list_remove(link);
        db_write_free(LIST_ITEM(link, db_write, link));
    }
    if (sqlite3_close(db->sqlite) != SQLITE_OK)
        log_warn("db.close", "err=%s", sqlite3_errmsg(db->sqlite));
    close(db->lock);
    uv_mutex_destroy(&db->mutex);
    uv_cond_destroy(&db->work);
    uv_close((uv_handle_t *)&db->wake, on_closed);
}

bool db_exec(struct db *db, const char *sql, struct err *err)
{
    must(!db->started);
    return run(db->sqlite, sql, err);
}

static struct db_value column(sqlite3_stmt *stmt, int at)
{
    int type = sqlite3_column_type(stmt, at);
    if (type == SQLITE_INTEGER)
        return DB_INT(sqlite3_column_int64(stmt, at));
    if (type == SQLITE_NULL)
        return DB_TEXT(((struct slice){NULL, 0}));
    const char *text = (const char *)sqlite3_column_text(stmt, at);
    return DB_TEXT(((struct slice){text ? text : "", (size_t)sqlite3_column_bytes(stmt, at)}));
}

bool db_read(struct db *db, const char *sql, db_row *row, void *arg, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    struct db_value columns[COLUMNS_MAX];
    must(!db->started);
    int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    bool ok = code == SQLITE_OK;
    while (ok && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        int count = sqlite3_column_count(stmt);
        must(count <= COLUMNS_MAX);
        for (int i = 0; i < count; i++)
            columns[i] = column(stmt, i);
        if (!row(arg, columns, (size_t)count, err)) {
            sqlite3_finalize(stmt);
            return false;
        }
    }
    ok = code == SQLITE_DONE || fail_sqlite(db->sqlite, code & 0xff, sql, err);
    sqlite3_finalize(stmt);
    return ok;
}

struct db_write *db_write_new(void)
{
    struct arena *arena = arena_new();
    struct db_write *write = ARENA_NEW(arena, db_write);
    write->arena = arena;
    list_init(&write->link);
    list_init(&write->statements);
    return write;
}

void db_write_free(struct db_write *write)
{
    if (write)
        arena_free(write->arena);
}

void db_write_add(struct db_write *write, int rows, const char *sql, const struct db_value *values,
                  size_t count)
{
    struct statement *s = ARENA_NEW(write->arena, statement);
    s->sql = sql;
    s->rows = rows;
    s->count = count;
    s->values = arena_array(write->arena, count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        s->values[i] = values[i];
        s->values[i].text = arena_dup(write->arena, values[i].text);
    }
    list_push_back(&write->statements, &s->link);
}

void db_submit(struct db *db, struct db_write *write, db_done *done, void *arg)
{
    write->done = done;
    write->arg = arg;
    write->round = db->round;
    if (!db->started) {
        /* Not before it is needed: a daemon that only reads has one thread less. */
        const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, 256 * 1024};
        must(uv_thread_create_ex(&db->thread, &options, work, db) == 0);
        db->started = true;
    }
    if (db->pending++ == 0)
        uv_ref((uv_handle_t *)&db->wake);
    uv_mutex_lock(&db->mutex);
    list_push_back(&db->queue, &write->link);
    uv_cond_signal(&db->work);
    uv_mutex_unlock(&db->mutex);
}
