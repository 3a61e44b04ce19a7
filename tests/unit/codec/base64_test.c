#include "test.h"

#include "base/mem.h"
#include "codec/base64.h"

static const char *const pairs[][2] = {{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}};

static void round_trips(void **state)
{
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        AUTO(buf) struct buf text = BUF_INIT(64);
        AUTO(buf) struct buf bytes = BUF_INIT(64);
        assert_true(base64_encode(&text, slice_str(pairs[i][0])));
        assert_true(slice_eq(buf_all(&text), slice_str(pairs[i][1])));
        assert_int_equal(text.n, base64_length(strlen(pairs[i][0])));
        assert_true(base64_decode(&bytes, buf_all(&text)));
        assert_true(slice_eq(buf_all(&bytes), slice_str(pairs[i][0])));
    }
}

static void is_strict(void **state)
{
    const char *bad[] = {"Z",    "Zg",    "Zg=",    "Zh==",     "Zm9=", "Z===",
                         "====", "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zm-_", "=Zg="};
    AUTO(buf) struct buf bytes = BUF_INIT(64);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (base64_decode(&bytes, slice_str(bad[i])))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(bytes.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trips), cmocka_unit_test(is_strict)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
