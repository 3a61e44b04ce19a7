#include "bin/cli.h"

#include "base/mem.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>

enum { ANSWER_MAX = 256 << 20 };

const char *cli_endpoint;

static const char *chosen_endpoint(void)
{
    static const char *const names[] = {"LAMBKIN_ENDPOINT", "AWS_ENDPOINT_URL_LAMBDA",
                                        "AWS_ENDPOINT_URL"};
    if (cli_endpoint)
        return cli_endpoint;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return "http://127.0.0.1:4566";
}

/* Without the slash at its end that people copy along: paths begin with one. */
static struct slice endpoint(void)
{
    struct slice url = slice_str(chosen_endpoint());
    while (slice_ends(url, S("/")))
        url.n--;
    return url;
}

/* Where a body goes. */
struct sink {
    struct cli_answer *answer;
    bool (*on_piece)(void *arg, struct slice bytes); /* NULL: all of it into the answer */
    void *arg;
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct sink *sink = arg;
    struct slice bytes = {p, size * n};
    bool good = sink->on_piece && sink->answer->status / 100 == 2
                    ? sink->on_piece(sink->arg, bytes)
                    : buf_slice(&sink->answer->body, bytes);
    return good ? bytes.n : 0;
}

static void keep(char *to, size_t cap, struct slice value)
{
    snprintf(to, cap, "%.*s", FMT(value));
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct cli_answer *answer = arg;
    struct slice value = {p, size * n};
    struct slice name;
    uint64_t status = 0;
    if (slice_starts(value, S("HTTP/1.")) && slice_u64(slice_sub(value, 9, 3), &status))
        answer->status = (long)status;
    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    slice_cut(&value, ':', &name);
    if (!value.p)
        return size * n;
    value = slice_trim(value);
    if (slice_eq_nocase(name, S("x-amzn-ErrorType")))
        keep(answer->error_type, sizeof answer->error_type, value);
    if (slice_eq_nocase(name, S("X-Amz-Function-Error")))
        keep(answer->function_error, sizeof answer->function_error, value);
    if (slice_eq_nocase(name, S("x-lambkin-warning")))
        fprintf(stderr, "lambkin: warning: %.*s\n", FMT(value));
    if (slice_eq_nocase(name, S("X-Amz-Log-Result"))) {
        free(answer->log_result);
        answer->log_result = mem_str(value);
    }
    return size * n;
}

/* lambkin takes any credentials; region and account of ~/.aws do not matter here. AWS_REGION and a
 * 12-digit key do. */
static struct curl_slist *add_credential(struct curl_slist *list, const char *service)
{
    char text[256];
    const char *region = getenv("AWS_REGION");
    const char *key = getenv("AWS_ACCESS_KEY_ID");
    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    if (!region && !key)
        return list;
    snprintf(text, sizeof text,
             "Authorization: AWS4-HMAC-SHA256 Credential=%.64s/20000101/%.32s/%s/aws4_request, "
             "SignedHeaders=host, Signature=0",
             key && *key ? key : "any", region && *region ? region : "us-east-1", service);
    return curl_slist_append(list, text);
}

static bool request(const char *method, const char *path, const char *const *headers,
                    struct slice body, struct sink *sink)
{
    struct cli_answer *answer = sink->answer;
    CURL *curl = curl_easy_init();
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    char reason[CURL_ERROR_SIZE] = "";
    AUTO(buf) struct buf url = BUF_INIT(65536);
    must(curl != NULL);
    *answer = (struct cli_answer){.body = BUF_INIT(ANSWER_MAX)};
    buf_printf(&url, "%.*s%s", FMT(endpoint()), path);
    buf_char(&url, '\0');
    list = add_credential(list, *path == '/' && path[1] ? "lambda" : "logs");
    for (; headers && *headers; headers++)
        list = curl_slist_append(list, *headers);
    curl_easy_setopt(curl, CURLOPT_URL, url.p);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    if (strcmp(method, "GET")) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p ? body.p : "");
    }
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        cli_fail(0,
                 "lambkin is not running at %.*s: start it with `lambkin serve`, or name another "
                 "place with --endpoint or LAMBKIN_ENDPOINT",
                 FMT(endpoint()));
    else
        cli_fail(0, "%.*s: %s", FMT(endpoint()), *reason ? reason : curl_easy_strerror(code));
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        cli_answer_free(answer);
    return code == CURLE_OK;
}

bool cli_request(const char *method, const char *path, const char *const *headers,
                 struct slice body, struct cli_answer *answer)
{
    return request(method, path, headers, body, &(struct sink){.answer = answer});
}

bool cli_request_pieces(const char *path, const char *const *headers, struct slice body,
                        bool (*on_piece)(void *arg, struct slice bytes), void *arg,
                        struct cli_answer *answer)
{
    return request("POST", path, headers, body, &(struct sink){answer, on_piece, arg});
}

void cli_answer_free(struct cli_answer *answer)
{
    buf_free(&answer->body);
    free(answer->log_result);
    answer->log_result = NULL;
}

json_t *cli_json(const struct cli_answer *answer)
{
    return json_loadb(answer->body.p ? answer->body.p : "", answer->body.n,
                      JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

int cli_not_json(void)
{
    return cli_fail(EXIT_ERROR, "%.*s does not answer as lambkin does: this is no JSON",
                    FMT(endpoint()));
}

bool cli_is_missing(const struct cli_answer *answer)
{
    return answer->status == 404 &&
           slice_starts(slice_str(answer->error_type), S("ResourceNotFoundException"));
}

int cli_tell(const struct cli_answer *answer, const char *name)
{
    json_t *json = cli_json(answer);
    const char *message = json_string_value(json_object_get(json, "Message"));
    if (!message)
        message = json_string_value(json_object_get(json, "message"));
    if (cli_is_missing(answer) && name)
        cli_fail(0, "%s; `lambkin list` shows what is there", message ? message : "not found");
    else if (message)
        cli_fail(0, "%s%s%s", answer->error_type, *answer->error_type ? ": " : "", message);
    else
        cli_fail(0, "HTTP %ld %s: %.*s", answer->status, answer->error_type,
                 FMT(buf_all(&answer->body)));
    json_decref(json);
    return cli_is_missing(answer) ? EXIT_NOT_FOUND : EXIT_ERROR;
}

char *cli_escape(const char *text)
{
    AUTO(buf) struct buf out = BUF_INIT(65536);
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-_.~", *c))
            buf_char(&out, *c);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*c);
    }
    return mem_str(buf_all(&out));
}
