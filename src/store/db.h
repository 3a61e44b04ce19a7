/* Facts in SQL. Reads happen at start, from then on writes only: they are queued, a thread of the
 * database's own takes all that wait into one transaction, and each caller hears when its write is
 * on disk.
 *
 * The SQL is the common subset of SQLite and PostgreSQL: TEXT and BIGINT columns, parameters $1,
 * $2, ... in their order. This header names no engine; db_sqlite.c is the only one so far. */
#ifndef LK_DB_H
#define LK_DB_H

#include "base/err.h"
#include "base/slice.h"

#include <uv.h>

struct db;
struct db_write;

struct db_value {
    bool is_int;
    int64_t i;
    struct slice text; /* absent is NULL */
};

#define DB_INT(x) ((struct db_value){true, (x), {NULL, 0}})
#define DB_TEXT(x) ((struct db_value){false, 0, (x)})

enum { DB_ANY_ROWS = -1 };

/* Makes the folder (0700) if it is missing, takes it for this process alone (a file `lock`, which
 * the kernel releases however the process ends), and opens the database in it. NULL on failure;
 * FAULT_CONFLICT: another daemon uses the folder. */
struct db *db_open(uv_loop_t *loop, const char *dir, struct err *err);

/* What is queued is written first; its callbacks are not called any more. NULL is fine. */
void db_close(struct db *db);

/* At start only, before the first db_submit(): they block. */
typedef bool db_row(void *arg, const struct db_value *columns, size_t count, struct err *err);
bool db_exec(struct db *db, const char *sql, struct err *err) MUST_USE;
bool db_read(struct db *db, const char *sql, db_row *row, void *arg, struct err *err) MUST_USE;

/* Statements that happen together or not at all. Values are copied; `sql` must be a literal.
 * rows: how many the statement must change (else the whole write fails), or DB_ANY_ROWS. */
struct db_write *db_write_new(void);
void db_write_free(struct db_write *write); /* of one that is not submitted; NULL is fine */
void db_write_add(struct db_write *write, int rows, const char *sql, const struct db_value *values,
                  size_t count);

/* Takes the write. `done` comes from the loop: err NULL means that it is on disk, otherwise nothing
 * of it happened. Writes happen in the order of their submission. One that fails takes those with
 * it that were submitted before its `done` was called: what they write may have been made of what
 * it did not. */
typedef void db_done(void *arg, const struct err *err);
void db_submit(struct db *db, struct db_write *write, db_done *done, void *arg);

#endif
