/* Documents by key: in memory for readers, in the database for good.
 *
 * A document is a struct of the API's tables (aws/shape.h), kept as its JSON and decoded when
 * somebody first asks for it. Keys are parts joined by one space ("account region name"), so that
 * all that lies below one is together; only the last part may contain spaces.
 *
 * A change is seen by readers at once and acknowledged when it is on disk; one that cannot be
 * written is undone, and with it all that came after it and may have been made of it (db.h). So
 * whoever answers from what it reads may show what a crash in the next milliseconds takes back, but
 * never acknowledges it. What else is kept of a row goes by table_on_change(). */
#ifndef LK_TABLE_H
#define LK_TABLE_H

#include "aws/shape.h"
#include "base/arena.h"
#include "base/err.h"

struct db;
struct db_write;
struct table;
struct table_write;
struct tables;

struct tables *tables_open(struct db *db);
void tables_close(
    struct tables *tables); /* after db_close(), which no longer calls `done`; NULL is fine */

/* Creates the SQL table if it is missing and loads it. At start only. `name`: a literal, an SQL
 * name. */
struct table *table_open(struct tables *tables, const char *name, const struct aws_shape *shape,
                         struct err *err);

struct table_row {
    struct slice key;
    const void *value; /* the shape's generated struct */
};

/* Keys and values are borrowed: valid until the loop is returned to or the row is changed.
 * NULL: there is none (or, after an error in the log, a damaged one). */
const void *table_get(const struct table *table, struct slice key);
bool table_has(const struct table *table, struct slice key);

/* What lies below `prefix` ("account region ", the space at its end included), in the order of
 * keys; the array lies in the arena. `after`: only keys behind this one; absent: from the first. */
size_t table_list(const struct table *table, struct arena *arena, struct slice prefix,
                  const struct table_row **out);
size_t table_page(const struct table *table, struct arena *arena, struct slice prefix,
                  struct slice after, size_t limit, const struct table_row **out);
size_t table_count(const struct table *table, struct slice prefix);

/* Called for each row that was put, deleted or undone, when all rows of that write are as they are
 * now. Of writes that fail together a row is told of more than once, and not always in the order in
 * which it came back: look at what the tables say. `before` and `now` are NULL where there is no
 * row; they and the key are borrowed for the call, which must not commit a write itself. Rows that
 * are loaded at start are not told. */
typedef void table_changed(void *arg, struct slice key, const void *before, const void *now);
void table_on_change(struct table *table, table_changed *changed, void *arg);
void tables_unlisten(struct tables *tables); /* nobody is called any more */

/* Several changes that happen together. Values and keys are copied. */
struct table_write *table_write_new(struct tables *tables);
void tables_delete_all(struct table_write *write); /* every row of every table */
void table_write_free(struct table_write *write);  /* of one that is not committed; NULL is fine */
void table_put(struct table_write *write, struct table *table, struct slice key, const void *value);
void table_delete(struct table_write *write, struct table *table, struct slice key);
void table_delete_below(struct table_write *write, struct table *table, struct slice prefix);
struct db_write *
table_write_sql(struct table_write *write); /* for statements of the caller's own */

/* Takes the write. `done` comes from the loop, never before this returned: err NULL means that it
 * is on disk. */
typedef void table_done(void *arg, const struct err *err);
void table_commit(struct table_write *write, table_done *done, void *arg);

#endif
