/* The floor of durable writes: rows of N bytes into SQLite with the settings of lambkin's own
 * database, one transaction each, one after another, as fast as the disk takes them. Nothing else:
 * no HTTP, no checks, no files.
 *
 * usage: commits DIR BYTES SECONDS   (the database is DIR/floor.db; prints one JSON object) */
#include "base/clock.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>

static sqlite3 *db;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "commits: %s: %s\n", what, db ? sqlite3_errmsg(db) : "");
    exit(1);
}

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(sql);
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t value = 0;
    if (!slice_u64(slice_str(text), &value) || value == 0 || value > max)
        fail("usage: commits DIR BYTES SECONDS");
    return value;
}

int main(int argc, char **argv)
{
    char path[4096];
    sqlite3_stmt *insert = NULL;
    uint64_t count = 0;
    if (argc != 4 || snprintf(path, sizeof path, "%s/floor.db", argv[1]) >= (int)sizeof path)
        fail("usage: commits DIR BYTES SECONDS");
    int bytes = (int)number(argv[2], 1 << 20);
    uint64_t seconds = number(argv[3], 3600);
    AUTO(free) char *row = mem_new_array((size_t)bytes, 1);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        fail(path);
    run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)");
    if (sqlite3_prepare_v2(db, "INSERT INTO rows (value) VALUES (?)", -1, &insert, NULL) !=
            SQLITE_OK ||
        sqlite3_bind_blob(insert, 1, row, bytes, SQLITE_STATIC) != SQLITE_OK)
        fail("prepare");
    uint64_t begun = clock_mono_ns();
    uint64_t now = begun;
    for (; now - begun < seconds * 1000000000u; now = clock_mono_ns(), count++) {
        if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert) != SQLITE_OK)
            fail("insert");
    }
    sqlite3_finalize(insert);
    sqlite3_close(db);
    printf("{\"commits\": %llu, \"rps\": %.1f}\n", (unsigned long long)count,
           (double)count * 1e9 / (double)(now - begun));
    return 0;
}
