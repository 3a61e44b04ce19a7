/* The commands that people type. Each gets argv behind its name (ends in NULL) and returns the exit
 * code. */
#ifndef LK_CLI_H
#define LK_CLI_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_ERROR = 1,       /* it did not work; standard error says why */
    EXIT_USAGE = 2,       /* wrong arguments or settings */
    EXIT_UNREACHABLE = 3, /* no lambkin answers at the endpoint */
    EXIT_NOT_FOUND = 4,   /* no such function */
    EXIT_FUNCTION = 5,    /* the function ran and failed */
};

int command_serve(char **argv);
int command_runtimes(char **argv);
int command_doctor(char **argv);
int command_deploy(char **argv);
int command_invoke(char **argv);
int command_logs(char **argv);
int command_list(char **argv);
int command_delete(char **argv);

/* ---- arguments ---- */

struct cli_option {
    const char *name;    /* "--name" */
    char letter;         /* 'd' for -d, or 0 */
    bool *flag;          /* takes no value; or NULL */
    const char **value;  /* takes one; or NULL */
    const char **values; /* takes one each time; room for CLI_VALUES_MAX and a NULL */
};

enum { CLI_VALUES_MAX = 128, CLI_POSITIONS_MAX = 2 };

struct cli_args {
    const char *positions[CLI_POSITIONS_MAX];
    size_t count;
};

/* At least and at most so many positions. False: `*code` is what to return (--help was printed, or
 * the usage is wrong and was told in one line). */
bool cli_parse(char **argv, const struct cli_option *options, size_t option_count, size_t least,
               size_t most, const char *help, struct cli_args *out, int *code);

int cli_fail(int code, const char *fmt, ...)
    PRINTF_LIKE(2, 3); /* "lambkin: ..." on standard error */

/* ---- talking to lambkin, in AWS's own protocols ---- */

/* --endpoint, an option of every command that talks; before LAMBKIN_ENDPOINT and the like. */
extern const char *cli_endpoint;
#define CLI_ENDPOINT                                                                               \
    {                                                                                              \
        "--endpoint", 0, NULL, &cli_endpoint, NULL                                                 \
    }

struct cli_answer {
    long status; /* HTTP */
    struct buf body;
    char error_type[128];    /* x-amzn-ErrorType */
    char function_error[64]; /* X-Amz-Function-Error */
    char *log_result;        /* X-Amz-Log-Result, base64; owned */
};

/* True: an answer came, of whatever status. False: told on standard error; exit with
 * EXIT_UNREACHABLE. */
bool cli_request(const char *method, const char *path, const char *const *headers,
                 struct slice body, struct cli_answer *answer);
/* The same by POST, with the body of a success as it comes: on_piece() returns false if it wants no
 * more of it. */
bool cli_request_pieces(const char *path, const char *const *headers, struct slice body,
                        bool (*on_piece)(void *arg, struct slice bytes), void *arg,
                        struct cli_answer *answer);
void cli_answer_free(struct cli_answer *answer);

/* A function, version or alias, and not a path that another server does not know. */
bool cli_is_missing(const struct cli_answer *answer);
/* Tells the error in an answer, with what to do next; returns the exit code. */
int cli_tell(const struct cli_answer *answer, const char *name);
json_t *cli_json(const struct cli_answer *answer); /* NULL if the body is not JSON ... */
int cli_not_json(void);                            /* ... which this tells; the exit code */
char *cli_escape(const char *text);                /* for a path; owned by the caller */

/* A folder as zip, the same bytes for the same content; .git and caches are left out. */
bool cli_zip_dir(const char *dir, struct buf *out, struct err *err) MUST_USE;
bool cli_read_file(const char *path, size_t max, struct buf *out,
                   struct err *err) MUST_USE; /* "-": standard input */

#endif
