/* The smallest runtime: a bootstrap that answers each event with itself. Static, no allocation.
 * It writes its response and the next poll at once, as our runtime clients do; with the handler
 * "plain" it waits for the 202 in between, as most others do.
 * {"sleep_ms":N} makes it wait first, so that many environments can be alive at once. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <arpa/inet.h>

static const char *api; /* "127.0.0.1:9001" */
static int sock = -1;
static char in[7 << 20];

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void dial(void)
{
    char host[64];
    const char *colon = strchr(api, ':');
    if (!colon || (size_t)(colon - api) >= sizeof host)
        fail("AWS_LAMBDA_RUNTIME_API");
    memcpy(host, api, (size_t)(colon - api));
    host[colon - api] = '\0';
    unsigned port = 0;
    for (const char *c = colon + 1; *c >= '0' && *c <= '9'; c++)
        port = port * 10 + (unsigned)(*c - '0');
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        connect(sock, (struct sockaddr *)&address, sizeof address))
        fail("connect");
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void put(struct iovec *parts, int count)
{
    while (count) {
        ssize_t n = writev(sock, parts, count);
        if (n < 0)
            fail("write");
        while (count && (size_t)n >= parts->iov_len) {
            n -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count) {
            parts->iov_base = (char *)parts->iov_base + n;
            parts->iov_len -= (size_t)n;
        }
    }
}

/* The value of a header of the head that ends at `end`, or NULL. */
static const char *header(const char *end, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = in; line < end; line++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (!line)
            return NULL;
        if (strncasecmp(line + 1, name, n) == 0 && line[1 + n] == ':') {
            for (line += n + 2; *line == ' '; line++)
                continue;
            return line;
        }
    }
    return NULL;
}

/* One answer; where its body is, and how long. What came behind it stays for the next call. */
static const char *get(size_t *out_length)
{
    static size_t have, used;
    const char *head = NULL;
    size_t length = 0;
    have -= used;
    memmove(in, in + used, have);
    for (;;) {
        in[have] = '\0';
        if (!head && (head = memmem(in, have, "\r\n\r\n", 4))) {
            head += 4;
            const char *value = header(head, "content-length");
            for (; value && *value >= '0' && *value <= '9'; value++)
                length = length * 10 + (size_t)(*value - '0');
        }
        if (head && (size_t)(in + have - head) >= length)
            break;
        ssize_t n = read(sock, in + have, sizeof in - 1 - have);
        if (n <= 0)
            exit(0); /* the environment is over */
        have += (size_t)n;
    }
    used = (size_t)(head - in) + length;
    *out_length = length;
    return head;
}

int main(void)
{
    char next[256], head[512], id[128];
    const char *handler = getenv("_HANDLER");
    bool plain = handler && strcmp(handler, "plain") == 0;
    api = getenv("AWS_LAMBDA_RUNTIME_API");
    if (!api)
        fail("AWS_LAMBDA_RUNTIME_API");
    dial();
    int next_length =
        snprintf(next, sizeof next,
                 "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
    put(&(struct iovec){next, (size_t)next_length}, 1);
    for (;;) {
        size_t length = 0;
        const char *body = get(&length);
        const char *value = header(body, "lambda-runtime-aws-request-id");
        size_t n = value ? strcspn(value, "\r\n") : 0;
        if (n == 0 || n >= sizeof id)
            fail("request id");
        memcpy(id, value, n);
        id[n] = '\0';
        static const char sleep_event[] = "{\"sleep_ms\":";
        if (length > sizeof sleep_event && !memcmp(body, sleep_event, sizeof sleep_event - 1))
            usleep((useconds_t)atoi(body + sizeof sleep_event - 1) * 1000);
        int head_length = snprintf(head, sizeof head,
                                   "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
                                   "Host: %s\r\nContent-Length: %zu\r\n\r\n",
                                   id, api, length);
        struct iovec parts[] = {
            {head, (size_t)head_length}, {in + (body - in), length}, {next, (size_t)next_length}};
        put(parts, plain ? 2 : 3);
        get(&length);
        if (plain)
            put(&parts[2], 1);
    }
}
