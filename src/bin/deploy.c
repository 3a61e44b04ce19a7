#include "bin/cli.h"

#include "base/mem.h"
#include "codec/base64.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static const char help[] = "usage: lambkin deploy DIR|FILE.zip --name NAME --runtime RUNTIME "
                           "--handler HANDLER [OPTIONS]\n\n"
                           "Creates the function, or updates its code and configuration, and waits "
                           "until it can be invoked.\n"
                           "Of a folder all is taken but .git, .svn, .hg, __pycache__, .DS_Store "
                           "and .venv.\n\n"
                           "  --name NAME         the function's name\n"
                           "  --runtime RUNTIME   python3.11, nodejs20.x, provided.al2023, ...\n"
                           "  --handler HANDLER   file.function (any word for provided.*)\n"
                           "  --env K=V           an environment variable; may be repeated; "
                           "replaces those that were there\n"
                           "  --memory MB         128 to 10240\n"
                           "  --timeout SECONDS   1 to 900\n"
                           "  --storage MB        size of /tmp, 512 to 10240\n"
                           "  --description TEXT\n"
                           "  --role ARN          execution role; any will do\n"
                           "  --json              print the function's configuration\n"
                           "  --endpoint URL      where lambkin is [http://127.0.0.1:4566]\n\n"
                           "Example:\n  lambkin deploy examples/hello-python --name hello "
                           "--runtime python3.11 --handler app.handler --env GREETING=Hi\n";

struct options {
    const char *name, *runtime, *handler, *memory, *timeout, *storage, *description, *role;
    const char *env[CLI_VALUES_MAX + 1];
    bool json;
};

static bool read_code(const char *path, struct buf *out, struct err *err)
{
    struct stat st;
    if (stat(path, &st))
        return cli_read_file(path, 0, out, err); /* says why */
    if (S_ISDIR(st.st_mode))
        return cli_zip_dir(path, out, err);
    return cli_read_file(path, 52428800, out, err);
}

static bool add_number(json_t *to, const char *key, const char *text, struct err *err)
{
    uint64_t n = 0;
    if (!text)
        return true;
    if (!slice_u64(slice_str(text), &n) || n > INT32_MAX)
        return err_set(err, FAULT_INVALID, "%s must be a number, not %s", key, text);
    json_object_set_new(to, key, json_integer((json_int_t)n));
    return true;
}

/* The part of a function that is configuration, as CreateFunction and UpdateFunctionConfiguration
 * take it. */
static json_t *configuration(const struct options *o, struct err *err)
{
    json_t *json = json_object();
    if (o->role)
        json_object_set_new(json, "Role", json_string(o->role));
    if (o->runtime)
        json_object_set_new(json, "Runtime", json_string(o->runtime));
    if (o->handler)
        json_object_set_new(json, "Handler", json_string(o->handler));
    if (o->description)
        json_object_set_new(json, "Description", json_string(o->description));
    if (o->env[0]) {
        json_t *variables = json_object();
        for (size_t i = 0; o->env[i]; i++) {
            struct slice value = slice_str(o->env[i]);
            struct slice key;
            slice_cut(&value, '=', &key);
            if (!value.p || !key.n ||
                json_object_setn_new(variables, key.p, key.n, json_stringn(value.p, value.n))) {
                json_decref(variables);
                json_decref(json);
                err_set(err, FAULT_INVALID, "--env must be NAME=VALUE, not %s", o->env[i]);
                return NULL;
            }
        }
        json_object_set_new(json, "Environment", json_pack("{s:o}", "Variables", variables));
    }
    json_t *storage = json_object();
    bool ok = add_number(json, "MemorySize", o->memory, err) &&
              add_number(json, "Timeout", o->timeout, err) &&
              add_number(storage, "Size", o->storage, err);
    if (o->storage)
        json_object_set(json, "EphemeralStorage", storage);
    json_decref(storage);
    if (ok)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *code_member(const struct buf *zip)
{
    struct buf text = BUF_INIT(zip->n * 2 + 16);
    base64_encode(&text, buf_all(zip));
    json_t *json = json_stringn(text.p, text.n);
    buf_free(&text);
    return json;
}

/* Sends one JSON request; the answer's configuration in *out (may be NULL). Returns an exit code.
 */
static int send_json(const char *method, const char *path, json_t *body, json_t **out)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct cli_answer answer;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    bool came = cli_request(method, path, headers, slice_str(text), &answer);
    free(text);
    if (!came)
        return EXIT_UNREACHABLE;
    int code = EXIT_OK;
    if (answer.status / 100 != 2)
        code = cli_tell(&answer, path);
    else if (out && !(*out = cli_json(&answer)))
        code = cli_not_json();
    cli_answer_free(&answer);
    return code;
}

static bool is_settled(json_t *config)
{
    const char *state = json_string_value(json_object_get(config, "State"));
    const char *update = json_string_value(json_object_get(config, "LastUpdateStatus"));
    return state && !strcmp(state, "Active") && (!update || strcmp(update, "InProgress") != 0);
}

/* Polls until the last change is in force. */
static int settle(const char *path, json_t **out)
{
    for (int tries = 0; tries < 3000; tries++) {
        json_t *config = NULL;
        AUTO(buf) struct buf url = BUF_INIT(8192);
        buf_printf(&url, "%s/configuration", path);
        buf_char(&url, '\0');
        int code = send_json("GET", url.p, NULL, &config);
        if (code)
            return code;
        if (is_settled(config)) {
            *out = config;
            return EXIT_OK;
        }
        json_decref(config);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return cli_fail(EXIT_ERROR, "the function does not become active; look into lambkin's own log");
}

static int create(json_t *config, const struct options *o, const struct buf *zip)
{
    if (!o->role) /* only here: an update keeps the role that the function has */
        json_object_set_new(config, "Role", json_string("arn:aws:iam::000000000000:role/lambkin"));
    json_object_set_new(config, "FunctionName", json_string(o->name));
    json_object_set_new(config, "Code", json_pack("{s:o}", "ZipFile", code_member(zip)));
    return send_json("POST", "/2015-03-31/functions", config, NULL);
}

static int update(json_t *config, const char *path, const struct buf *zip)
{
    json_t *settled = NULL;
    AUTO(buf) struct buf url = BUF_INIT(8192);
    json_t *code = json_pack("{s:o}", "ZipFile", code_member(zip));
    buf_printf(&url, "%s/code", path);
    buf_char(&url, '\0');
    int result = send_json("PUT", url.p, code, NULL);
    json_decref(code);
    if (result || (result = settle(path, &settled)))
        return result;
    json_decref(settled);
    buf_clear(&url);
    buf_printf(&url, "%s/configuration", path);
    buf_char(&url, '\0');
    return send_json("PUT", url.p, config, NULL);
}

static int deploy(const struct options *o, const struct buf *zip, json_t *config)
{
    struct cli_answer answer;
    json_t *settled = NULL;
    char *name = cli_escape(o->name);
    AUTO(buf) struct buf path = BUF_INIT(8192);
    buf_printf(&path, "/2015-03-31/functions/%s", name);
    buf_char(&path, '\0');
    free(name);
    if (!cli_request("GET", path.p, NULL, (struct slice){NULL, 0}, &answer))
        return EXIT_UNREACHABLE;
    bool exists = answer.status == 200;
    int told = exists || cli_is_missing(&answer) ? EXIT_OK : cli_tell(&answer, NULL);
    cli_answer_free(&answer);
    if (told)
        return told;
    if (!exists && (!o->runtime || !o->handler))
        return cli_fail(EXIT_USAGE, "a new function needs --runtime and --handler");
    int code = exists ? update(config, path.p, zip) : create(config, o, zip);
    if (!code)
        code = settle(path.p, &settled);
    if (code)
        return code;
    if (o->json) {
        json_dumpf(settled, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        printf("%s %s: %s, %zu bytes\n", exists ? "updated" : "created", o->name,
               json_string_value(json_object_get(settled, "Runtime")), zip->n);
    }
    json_decref(settled);
    return EXIT_OK;
}

int command_deploy(char **argv)
{
    struct options o = {0};
    struct cli_args args;
    struct err err = {FAULT_NONE, 0, ""};
    int code = 0;
    const struct cli_option options[] = {
        {"--name", 'n', NULL, &o.name, NULL},
        {"--runtime", 'r', NULL, &o.runtime, NULL},
        {"--handler", 0, NULL, &o.handler, NULL},
        {"--env", 'e', NULL, NULL, o.env},
        {"--memory", 'm', NULL, &o.memory, NULL},
        {"--timeout", 't', NULL, &o.timeout, NULL},
        {"--storage", 0, NULL, &o.storage, NULL},
        {"--description", 0, NULL, &o.description, NULL},
        {"--role", 0, NULL, &o.role, NULL},
        {"--json", 0, &o.json, NULL, NULL},
        CLI_ENDPOINT,
    };
    if (!cli_parse(argv, options, COUNT_OF(options), 1, 1, help, &args, &code))
        return code;
    if (!o.name)
        return cli_fail(EXIT_USAGE, "--name is missing; lambkin deploy --help says more");
    AUTO(buf) struct buf zip = BUF_INIT(0);
    if (!read_code(args.positions[0], &zip, &err))
        return cli_fail(EXIT_ERROR, "%s", err.msg);
    json_t *config = configuration(&o, &err);
    if (!config)
        return cli_fail(EXIT_USAGE, "%s", err.msg);
    code = deploy(&o, &zip, config);
    json_decref(config);
    return code;
}
