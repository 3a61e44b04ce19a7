#include "env/spec.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "lambda_api.h"
#include "model/credentials.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    SANDBOX_PIDS = 1024,
    SANDBOX_FILES = 1024,
    HEAP_PERCENT = 75, /* of MemorySize for a garbage-collected heap (sandbox.md 8) */
};

struct variable {
    struct slice name;
    struct slice value;
    bool shared; /* with external extensions */
};

struct word {
    struct slice name;
    struct slice value;
};

/* Variables and arguments while they are put together. */
struct draft {
    const struct function *fn; /* configuration */
    const struct lambda_FunctionConfiguration *config;
    const struct runtime_conf *conf; /* NULL: the function brings its program along */
    struct slice interpreter;
    struct slice archive; /* inside; absent: there is none */
    struct arena *arena;
    struct slice args[LAUNCH_ARGS_MAX]; /* state */
    size_t argc;
    struct variable vars[LAUNCH_ENV_MAX];
    size_t varc;
    bool over;
};

static void put(struct draft *draft, const struct variable *var)
{
    for (size_t i = 0; i < draft->varc; i++) {
        if (slice_eq(draft->vars[i].name, var->name)) {
            draft->vars[i] = *var;
            return;
        }
    }
    if (draft->varc == COUNT_OF(draft->vars))
        draft->over = true;
    else
        draft->vars[draft->varc++] = *var;
}

static void set(struct draft *draft, struct slice name, struct slice value)
{
    put(draft, &(struct variable){name, value, false});
}

/* Also a variable of external extensions. */
static void share(struct draft *draft, struct slice name, struct slice value)
{
    put(draft, &(struct variable){name, value, true});
}

static struct slice get(const struct draft *draft, struct slice name)
{
    for (size_t i = 0; i < draft->varc; i++) {
        if (slice_eq(draft->vars[i].name, name))
            return draft->vars[i].value;
    }
    return (struct slice){NULL, 0};
}

static void add_arg(struct draft *draft, struct slice arg)
{
    if (draft->argc == COUNT_OF(draft->args))
        draft->over = true;
    else
        draft->args[draft->argc++] = arg;
}

/* ---- variables ---- */

/* {version} is the identifier's, as paths like /opt/nodejs/node20 want it, whatever interpreter
 * runs it; {heap_mb} is what a garbage collector may fill. */
static struct slice expand(struct draft *draft, struct slice text)
{
    AUTO(buf) struct buf out = BUF_INIT(4096);
    char numbers[3][24];
    uint64_t version = draft->conf ? runtime_version(draft->conf, draft->config->Runtime) : 0;
    snprintf(numbers[0], sizeof numbers[0], "%u", draft->fn->memory_mb);
    snprintf(numbers[1], sizeof numbers[1], "%u", draft->fn->memory_mb * HEAP_PERCENT / 100);
    snprintf(numbers[2], sizeof numbers[2], "%llu", (unsigned long long)version);
    size_t slash = draft->interpreter.n;
    while (slash && draft->interpreter.p[slash - 1] != '/')
        slash--;
    const struct word words[] = {
        {S("{interpreter}"), draft->interpreter},
        {S("{memory_mb}"), slice_str(numbers[0])},
        {S("{interpreter_folder}"), slice_sub(draft->interpreter, 0, slash ? slash - 1 : 0)},
        {S("{heap_mb}"), slice_str(numbers[1])},
        {S("{version}"), slice_str(numbers[2])},
        {S("{handler}"), draft->config->Handler},
        {S("{archive}"), draft->archive},
    };
    while (text.n) {
        size_t take = 1;
        struct slice put = slice_sub(text, 0, 1);
        for (size_t i = 0; i < COUNT_OF(words); i++) {
            if (slice_starts(text, words[i].name)) {
                take = words[i].name.n;
                put = words[i].value;
            }
        }
        buf_slice(&out, put);
        text = slice_sub(text, take, text.n);
    }
    return arena_dup(draft->arena, buf_all(&out));
}

static void set_from_conf(struct draft *draft)
{
    struct slice rest = draft->conf->env;
    struct slice pair;
    uint64_t version = runtime_version(draft->conf, draft->config->Runtime);
    while (slice_cut(&rest, ' ', &pair)) {
        size_t equals = slice_find(pair, '=');
        size_t colon = slice_find(pair, ':');
        uint64_t from = 0;
        if (colon != SIZE_MAX && colon > 1 && pair.p[colon - 1] == '+' &&
            slice_u64(slice_sub(pair, 0, colon - 1), &from)) {
            pair = slice_sub(pair, colon + 1, pair.n);
            equals = version < from ? SIZE_MAX : slice_find(pair, '=');
        }
        if (equals != SIZE_MAX)
            set(draft, slice_sub(pair, 0, equals),
                expand(draft, slice_sub(pair, equals + 1, pair.n)));
    }
}

/* What the user's variables may override. */
static void set_defaults(struct draft *draft)
{
    bool managed = draft->conf != NULL;
    share(draft, S("LANG"), S("en_US.UTF-8"));
    share(draft, S("TZ"), S(":UTC"));
    share(draft, S("PATH"),
          managed ? S("/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin")
                  : S("/usr/local/bin:/usr/bin/:/bin:/opt/bin"));
    share(draft, S("LD_LIBRARY_PATH"),
          managed ? S("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
                      "/var/task/lib:/opt/lib")
                  : S("/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:"
                      "/opt/lib"));
    set(draft, S("AWS_XRAY_CONTEXT_MISSING"), S("LOG_ERROR"));
    set(draft, S("AWS_XRAY_DAEMON_ADDRESS"), S("169.254.100.1:2000"));
    if (managed) {
        set(draft, S("PWD"), S("/var/task"));
        set(draft, S("SHLVL"), S("0"));
        set_from_conf(draft);
    }
}

/* Of what users set, too, extensions see nothing that is the runtime's (dataplane.md 2.7). */
static bool is_shared(struct slice name)
{
    return !slice_starts(name, S("_")) && !slice_eq(name, S("AWS_XRAY_CONTEXT_MISSING")) &&
           !slice_eq(name, S("AWS_XRAY_DAEMON_ADDRESS"));
}

static void set_customer(struct draft *draft)
{
    if (!draft->config->Environment)
        return;
    struct aws_map vars = draft->config->Environment->Variables;
    const struct slice *values = vars.values;
    for (size_t i = 0; i < vars.n; i++)
        put(draft, &(struct variable){vars.keys[i], values[i], is_shared(vars.keys[i])});
}

static struct slice random_text(struct draft *draft, const char *prefix, const char *alphabet,
                                size_t n)
{
    size_t letters = strlen(alphabet);
    size_t length = strlen(prefix);
    char *text = arena_alloc(draft->arena, length + n + 1);
    unsigned char *bytes = arena_alloc(draft->arena, n);
    memcpy(text, prefix, length);
    id_random(bytes, n);
    for (size_t i = 0; i < n; i++)
        text[length + i] = alphabet[bytes[i] % letters];
    return (struct slice){text, length + n};
}

/* Keys of the shape that AWS's have, different in each environment. Nobody accepts them anywhere
 * but here, where any are accepted. */
enum { CREDENTIALS_LIFE_DAYS = 365 }; /* an environment that is kept may live long */

/* Of the execution role, of this environment alone (controlplane.md fact 121). */
static void set_credentials(struct draft *draft, const struct iam *iam)
{
    static const char id[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static const char secret[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint64_t expires = clock_wall_ms() + UINT64_C(86400000) * CREDENTIALS_LIFE_DAYS;
    struct session_keys keys;
    bool real =
        iam && credentials_for_function(iam, draft->arena, draft->config->Role, draft->fn->account,
                                        draft->fn->name, expires, &keys);
    if (!real)
        keys = (struct session_keys){random_text(draft, "ASIA", id, 16),
                                     random_text(draft, "", secret, 40),
                                     random_text(draft, "IQoJb3JpZ2luX2Vj", secret, 320)};
    share(draft, S("AWS_ACCESS_KEY_ID"), keys.access_key_id);
    share(draft, S("AWS_SECRET_ACCESS_KEY"), keys.secret_access_key);
    share(draft, S("AWS_SESSION_TOKEN"), keys.session_token);
    struct slice runtime = draft->config->Runtime;
    if (!slice_starts(runtime, S("java8")) && !slice_eq(runtime, S("java11")))
        return;
    share(draft, S("AWS_ACCESS_KEY"), keys.access_key_id); /* as they were called once: 2.7 */
    share(draft, S("AWS_SECRET_KEY"), keys.secret_access_key);
}

static void set_logging(struct draft *draft, struct slice group, struct slice stream)
{
    set(draft, S("AWS_LAMBDA_LOG_GROUP_NAME"), group);
    set(draft, S("AWS_LAMBDA_LOG_STREAM_NAME"), stream);
    set(draft, S("_LAMBDA_TELEMETRY_LOG_FD"), S("62"));
    const struct lambda_LoggingConfig *logging = draft->config->LoggingConfig;
    if (!logging || !slice_eq(logging->LogFormat, S("JSON")))
        return;
    share(draft, S("AWS_LAMBDA_LOG_FORMAT"), S("JSON"));
    if (logging->ApplicationLogLevel.n)
        share(draft, S("AWS_LAMBDA_LOG_LEVEL"), logging->ApplicationLogLevel);
}

/* What nobody may override. */
static void set_platform(struct draft *draft, const struct spec_context *context)
{
    const struct function *fn = draft->fn;
    struct slice runtime = draft->config->Runtime;
    bool old_address = slice_eq(runtime, S("provided.al2")) || slice_eq(runtime, S("provided")) ||
                       runtime_is_go(runtime);
    set_credentials(draft, context->iam);
    set(draft, S("_HANDLER"), draft->config->Handler.p ? draft->config->Handler : S(""));
    if (draft->conf || runtime_is_go(runtime))
        set(draft, S("AWS_EXECUTION_ENV"),
            arena_printf(draft->arena, "AWS_Lambda_%.*s", FMT(runtime)));
    share(draft, S("AWS_REGION"), fn->region);
    share(draft, S("AWS_DEFAULT_REGION"), fn->region);
    share(draft, S("AWS_LAMBDA_FUNCTION_NAME"), fn->name);
    share(draft, S("AWS_LAMBDA_FUNCTION_VERSION"), fn->version);
    share(draft, S("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
          arena_printf(draft->arena, "%u", fn->memory_mb));
    share(draft, S("AWS_LAMBDA_INITIALIZATION_TYPE"),
          context->provisioned ? S("provisioned-concurrency") : S("on-demand"));
    share(draft, S("AWS_LAMBDA_RUNTIME_API"),
          old_address ? S("127.0.0.1:9001") : S("169.254.100.1:9001"));
    set(draft, S("LAMBDA_TASK_ROOT"), S("/var/task"));
    set(draft, S("LAMBDA_RUNTIME_DIR"), S("/var/runtime"));
    set(draft, S("_AWS_XRAY_DAEMON_ADDRESS"), S("169.254.100.1"));
    set(draft, S("_AWS_XRAY_DAEMON_PORT"), S("2000"));
    set_logging(draft, context->log_group, context->log_stream);
}

/* ---- what is started ---- */

static bool exists_in(const struct env_settings *settings, const char *digest, const char *name)
{
    char path[4096];
    if (!settings->data_dir)
        return true;
    snprintf(path, sizeof path, "%s/code/%s/%s", settings->data_dir, digest, name);
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Looked for from outside: inside there is nobody yet who could look. */
static void find_bootstrap(const struct sandbox_spec *spec, const struct env_settings *settings,
                           struct spec_entrypoint *out)
{
    snprintf(out->path, sizeof out->path, "/var/task/bootstrap");
    out->found = exists_in(settings, spec->code, "bootstrap");
    for (uint32_t i = spec->layer_count; i > 0 && !out->found; i--) {
        if (exists_in(settings, spec->layers[i - 1], "bootstrap")) {
            snprintf(out->path, sizeof out->path, "/opt/bootstrap");
            out->found = true;
        }
    }
}

/* The function's own program. That of go1.x is not looked for: its name is the user's, and may lead
 * anywhere outside; inside it leads nowhere. */
static void draft_program(struct draft *draft, const struct sandbox_spec *spec,
                          const struct env_settings *settings, struct spec_entrypoint *out)
{
    if (runtime_is_go(draft->config->Runtime)) {
        snprintf(out->path, sizeof out->path, "/var/task/%.*s", FMT(draft->config->Handler));
        out->found = true;
    } else {
        find_bootstrap(spec, settings, out);
    }
    add_arg(draft, slice_str(out->path));
}

static void choose(struct draft *draft, const struct runtimes *runtimes,
                   const struct runtime_choice *choice)
{
    char archive[RUNTIME_PATH_MAX];
    draft->conf = runtimes_conf(runtimes, choice->language);
    draft->interpreter = choice->interpreter;
    if (runtimes_archive(runtimes, choice, archive))
        draft->archive = arena_printf(draft->arena, "/var/runtime/%s", archive);
}

/* What takes an archive is left out where there is none. */
static bool is_needed(const struct draft *draft, struct slice word)
{
    static const char archive[] = "{archive}";
    return word.n && (draft->archive.n || !memmem(word.p, word.n, archive, sizeof archive - 1));
}

static void draft_args(struct draft *draft, struct spec_entrypoint *entrypoint)
{
    struct slice rest = draft->conf->args;
    struct slice word;
    struct slice wrapper = get(draft, S("AWS_LAMBDA_EXEC_WRAPPER"));
    if (wrapper.n)
        add_arg(draft, wrapper);
    while (slice_cut(&rest, ' ', &word)) {
        if (is_needed(draft, word))
            add_arg(draft, expand(draft, word));
    }
    *entrypoint = (struct spec_entrypoint){.found = true, .is_wrapper = wrapper.n > 0};
    if (draft->argc)
        snprintf(entrypoint->path, sizeof entrypoint->path, "%.*s", FMT(draft->args[0]));
}

/* ---- the packet ---- */

static bool add_string(struct sandbox_spec *spec, struct slice s)
{
    if (s.n && memchr(s.p, '\0', s.n))
        return false;
    if (s.n >= sizeof spec->strings - spec->strings_len)
        return false;
    if (s.n)
        memcpy(spec->strings + spec->strings_len, s.p, s.n);
    spec->strings_len += (uint32_t)s.n + 1; /* the array is zeroed */
    return true;
}

static bool add_variables(struct sandbox_spec *spec, const struct draft *draft, bool shared)
{
    for (size_t i = 0; i < draft->varc; i++) {
        const struct variable *var = &draft->vars[i];
        if (var->shared != shared)
            continue;
        if (!add_string(spec,
                        arena_printf(draft->arena, "%.*s=%.*s", FMT(var->name), FMT(var->value))))
            return false;
        spec->envc++;
    }
    return true;
}

static bool write_strings(struct sandbox_spec *spec, const struct draft *draft, struct err *err)
{
    bool ok = !draft->over;
    for (size_t i = 0; i < draft->argc; i++)
        ok = ok && add_string(spec, draft->args[i]);
    ok = ok && add_variables(spec, draft, true);
    spec->extension_envc = spec->envc;
    ok = ok && add_variables(spec, draft, false);
    spec->argc = (uint32_t)draft->argc;
    if (!ok)
        return err_set(err, FAULT_LIMIT, "arguments and variables do not fit");
    return true;
}

static void forget_layer(struct sandbox_spec *spec, struct slice digest)
{
    for (uint32_t i = 0; i < spec->layer_count; i++) {
        if (!slice_eq(slice_str(spec->layers[i]), digest))
            continue;
        spec->layer_count--;
        memmove(spec->layers[i], spec->layers[i + 1],
                (spec->layer_count - i) * sizeof spec->layers[0]);
        memset(spec->layers[spec->layer_count], 0, sizeof spec->layers[0]);
    }
}

static void fill_code(struct sandbox_spec *spec, const struct function *fn)
{
    struct slice rest = fn->made_of;
    struct slice digest;
    memcpy(spec->code, fn->code, sizeof spec->code);
    slice_cut(&rest, ' ', &digest);
    while (spec->layer_count < LAUNCH_LAYERS_MAX && slice_cut(&rest, ' ', &digest)) {
        forget_layer(spec, digest); /* of two layers with the same contents the later one counts */
        memcpy(spec->layers[spec->layer_count++], digest.p, LAUNCH_DIGEST_LEN);
    }
}

static void fill_limits(struct sandbox_spec *spec, const struct env_settings *settings,
                        const struct function *fn)
{
    spec->kind = LAUNCH_ENVIRONMENT;
    fill_code(spec, fn);
    spec->memory = ((uint64_t)fn->memory_mb << 20) + settings->overhead_bytes;
    spec->tmp_size = (uint64_t)fn->tmp_mb << 20;
    spec->pids = SANDBOX_PIDS;
    spec->nofile = SANDBOX_FILES;
    /* With a hard quota the init runs at full speed; the quota comes when it is done. */
    if (!settings->cpu_hard_quota)
        spec->cpu.weight_mb = fn->memory_mb;
}

static bool fill(struct sandbox_spec *spec, struct draft *draft, const struct spec_context *context,
                 struct spec_entrypoint *entrypoint, struct err *err)
{
    struct runtime_choice choice;
    bool nearest = false;
    if (!runtimes_choose(context->runtimes, draft->config->Runtime, &choice, err))
        return false;
    must(choice.rootfs.n < sizeof spec->rootfs);
    if (choice.rootfs.n)
        memcpy(spec->rootfs, choice.rootfs.p, choice.rootfs.n);
    if (choice.language.n) {
        choose(draft, context->runtimes, &choice);
        nearest = !choice.exact;
        must(choice.language.n < sizeof spec->runtime);
        memcpy(spec->runtime, choice.language.p, choice.language.n);
    }
    set_defaults(draft);
    if (context->endpoint)
        share(draft, S("AWS_ENDPOINT_URL"), S("http://169.254.100.1:4566"));
    set_customer(draft);
    set_platform(draft, context);
    if (draft->conf)
        draft_args(draft, entrypoint);
    else
        draft_program(draft, spec, context->settings, entrypoint);
    entrypoint->nearest = nearest;
    snprintf(entrypoint->interpreter, sizeof entrypoint->interpreter, "%.*s",
             FMT(draft->interpreter));
    return write_strings(spec, draft, err);
}

bool spec_fill(struct sandbox_spec *spec, const struct spec_context *context,
               const struct function *fn, struct spec_entrypoint *out_entrypoint, struct err *err)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct draft *draft = ARENA_NEW(arena, draft);
    *draft = (struct draft){.fn = fn, .config = fn->config, .arena = arena};
    *out_entrypoint = (struct spec_entrypoint){0};
    fill_limits(spec, context->settings, fn);
    return fill(spec, draft, context, out_entrypoint, err);
}

/* ---- parked runtimes ---- */

/* Its environment is as large as any may be: that of its function is put into the same place. */
static bool add_room(struct sandbox_spec *spec)
{
    static const char name[] = "_LAMBKIN_ROOM=";
    size_t left = sizeof spec->strings - spec->strings_len;
    if (left < sizeof name)
        return false;
    char *to = spec->strings + spec->strings_len;
    memset(to, ' ', left - 1);
    memcpy(to, name, sizeof name - 1);
    spec->strings_len = sizeof spec->strings;
    spec->envc++;
    return true;
}

bool spec_fill_parked(struct sandbox_spec *spec, const struct env_settings *settings,
                      const struct runtimes *runtimes, const struct function *fn,
                      char path[SPEC_PATH_MAX])
{
    AUTO(arena) struct arena *arena = arena_new();
    struct draft *draft = ARENA_NEW(arena, draft);
    struct runtime_choice choice;
    struct err err;
    *draft = (struct draft){.fn = fn, .config = fn->config, .arena = arena};
    if (!runtimes_choose(runtimes, fn->config->Runtime, &choice, &err) || !choice.language.n)
        return false;
    choose(draft, runtimes, &choice);
    if (!draft->conf->start_variables.p)
        return false; /* its client does not know how to wait */
    spec->kind = LAUNCH_PARKED;
    spec->tmp_size = UINT64_C(512) << 20; /* AWS's default; another one is mounted over it */
    spec->pids = SANDBOX_PIDS;
    spec->nofile = SANDBOX_FILES;
    memcpy(spec->rootfs, choice.rootfs.p ? choice.rootfs.p : "", choice.rootfs.n);
    memcpy(spec->runtime, choice.language.p, choice.language.n);
    set_defaults(draft);
    set(draft, S("_LAMBKIN_PARKED_FD"), S("61"));
    struct spec_entrypoint entrypoint;
    draft_args(draft, &entrypoint);
    snprintf(path, SPEC_PATH_MAX, "%s%.*s", runtimes_root(runtimes, choice.rootfs),
             FMT(choice.interpreter));
    return write_strings(spec, draft, &err) && add_room(spec);
}

struct slice spec_start_variables(const struct runtimes *runtimes,
                                  const struct sandbox_spec *parked)
{
    const struct runtime_conf *conf = runtimes_conf(runtimes, slice_str(parked->runtime));
    return conf ? conf->start_variables : S("");
}

static bool is_named(struct slice names, struct slice name)
{
    struct slice one;
    while (slice_cut(&names, ' ', &one)) {
        if (slice_eq(one, name))
            return true;
        if (slice_ends(one, S("*")) && slice_starts(name, slice_sub(one, 0, one.n - 1)))
            return true;
    }
    return false;
}

/* What every program reads when it starts. */
#define START_VARIABLES "LD_* LC_* LANG LANGUAGE TZ MALLOC_* GLIBC_TUNABLES"

static const char *variables_of(const struct sandbox_spec *spec)
{
    const char *at = spec->strings;
    for (uint32_t i = 0; i < spec->argc; i++)
        at += strlen(at) + 1;
    return at;
}

static bool has(const struct sandbox_spec *spec, const char *variable)
{
    const char *at = variables_of(spec);
    for (uint32_t i = 0; i < spec->envc; i++, at += strlen(at) + 1) {
        if (!strcmp(at, variable))
            return true;
    }
    return false;
}

/* Each of these variables of the one is in the other, too. */
static bool are_in(const struct sandbox_spec *one, const struct sandbox_spec *other,
                   struct slice names)
{
    const char *at = variables_of(one);
    for (uint32_t i = 0; i < one->envc; i++, at += strlen(at) + 1) {
        struct slice name = slice_sub(slice_str(at), 0, slice_find(slice_str(at), '='));
        if ((is_named(S(START_VARIABLES), name) || is_named(names, name)) && !has(other, at))
            return false;
    }
    return true;
}

bool spec_serves(const struct sandbox_spec *parked, const struct sandbox_spec *wanted,
                 struct slice start_variables)
{
    size_t args = (size_t)(variables_of(parked) - parked->strings);
    return !strcmp(parked->rootfs, wanted->rootfs) && !strcmp(parked->runtime, wanted->runtime) &&
           parked->argc == wanted->argc && args <= wanted->strings_len &&
           memcmp(parked->strings, wanted->strings, args) == 0 &&
           are_in(parked, wanted, start_variables) && are_in(wanted, parked, start_variables);
}

/* "python3.13" -> "python:3.13.v1", "nodejs20.x" -> "nodejs:20.v1", "provided.al2023" ->
 * "provided:al2023.v1" */
struct slice spec_runtime_version(const struct function *fn, char *to, size_t cap)
{
    struct slice runtime = fn->config->Runtime;
    size_t letters = 0;
    while (letters < runtime.n && runtime.p[letters] >= 'a' && runtime.p[letters] <= 'z')
        letters++;
    if (letters == 0)
        return (struct slice){NULL, 0};
    struct slice version = slice_sub(runtime, letters, runtime.n);
    if (slice_starts(version, S(".")))
        version = slice_sub(version, 1, version.n);
    if (slice_ends(version, S(".x")))
        version.n -= 2;
    int n = snprintf(to, cap, "%.*s:%.*s.v1", (int)letters, runtime.p, FMT(version));
    return (struct slice){to, (size_t)n < cap ? (size_t)n : cap - 1};
}

struct slice spec_runtime_version_arn(const struct function *fn)
{
    const struct lambda_RuntimeVersionConfig *config = fn->config->RuntimeVersionConfig;
    return config ? config->RuntimeVersionArn : (struct slice){NULL, 0};
}
