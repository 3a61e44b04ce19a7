#include "test.h"

#include "front/origin.h"

struct origin_row {
    const char *origin; /* NULL: no such header */
    bool may;
};

static const struct origin_row rows[] = {
    {NULL, true},
    {"http://localhost", true},
    {"http://localhost:3000", true},
    {"https://localhost:8443", true},
    {"http://app.localhost:3000", true},
    {"http://127.0.0.1:4566", true},
    {"http://127.9.8.7", true},
    {"http://[::1]:3000", true},
    {"http://[::1]", true},
    {"", false},
    {"null", false},
    {"http://", false},
    {"localhost", false},
    {"https://example.com", false},
    {"http://localhost.example.com", false},
    {"http://notlocalhost", false},
    {"http://127.0.0.1.example.com", false},
    {"http://127.0.0.1.", false},
    {"http://127.0.0", false},
    {"http://127.0.0.256", false},
    {"http://128.0.0.1", false},
    {"http://[::1].example.com", false},
    {"http://[::2]", false},
    {"chrome-extension://localhost", false},
    {"file://", false},
};

static void only_pages_of_this_machine_may_call(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_header header = {S("origin"), slice_str(rows[i].origin)};
        struct http_request req = {.headers = &header, .header_count = rows[i].origin ? 1 : 0};
        if (origin_may_call(&req) != rows[i].may)
            fail_msg("row %zu: %s", i, rows[i].origin ? rows[i].origin : "no header");
    }
}

static void pages_have_no_name_for_it(void **state)
{
    static const struct origin_row hosts[] = {
        {NULL, true},
        {"", true},
        {"localhost:4566", true},
        {"LOCALHOST", true},
        {"app.localhost", true},
        {"127.0.0.1:4566", true},
        {"192.168.1.7", true},
        {"[::1]:4566", true},
        {"lambkin:4566", true},
        {"mac.local", true},
        {"lambda.us-east-1.amazonaws.com", true},
        {"Id.Lambda-URL.eu-west-1.On.AWS:4566", true},
        {"evil.example:4566", false},
        {"127.0.0.1.evil.com", false},
        {"localhost.evil.com", false},
        {"evil.com", false},
        {"evil.com.", false},
        {"evil-amazonaws.com", false},
        {"amazonaws.com.evil.com", false},
        {"1.2.3", false},
    };
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct http_header header = {S("host"), slice_str(hosts[i].origin)};
        struct http_request req = {.headers = &header, .header_count = hosts[i].origin ? 1 : 0};
        if (origin_is_addressed(&req) != hosts[i].may)
            fail_msg("row %zu: %s", i, hosts[i].origin ? hosts[i].origin : "no header");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_have_no_name_for_it),
        cmocka_unit_test(only_pages_of_this_machine_may_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
