/* The pictures in docs/states/ are what the tables say. STATES_WRITE=1 in the environment writes
 * them anew. */
#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "env/delivery.h"
#include "env/env.h"
#include "env/extensions.h"
#include "env/runtime_api.h"

#include <stdio.h>
#include <stdlib.h>

enum { PICTURE_MAX = 65536 };

static void draw(struct buf *out, const char *title, const char *source,
                 const struct sm_state *states)
{
    buf_printf(out,
               "# %s\n\nPrinted by `tests/unit/env/states_test.c` from the table in `%s`.\n\n"
               "```mermaid\nstateDiagram-v2\n    [*] --> %s\n",
               title, source, states[0].name);
    for (size_t from = 0; states[from].name; from++) {
        for (size_t to = 0; states[to].name; to++) {
            if (states[from].to & SM_TO(to))
                buf_printf(out, "    %s --> %s\n", states[from].name, states[to].name);
        }
        if (!states[from].to)
            buf_printf(out, "    %s --> [*]\n", states[from].name);
    }
    buf_slice(out, S("```\n"));
}

static void check(const char *file, const char *title, const char *source,
                  const struct sm_state *states)
{
    AUTO(buf) struct buf want = BUF_INIT(PICTURE_MAX);
    char path[512];
    static char have[PICTURE_MAX];
    snprintf(path, sizeof path, "%s/%s", DOCS_STATES, file);
    draw(&want, title, source, states);
    if (getenv("STATES_WRITE")) {
        FILE *to = fopen(path, "w");
        assert_non_null(to);
        assert_int_equal(fwrite(want.p, 1, want.n, to), want.n);
        assert_int_equal(fclose(to), 0);
    }
    FILE *from = fopen(path, "r");
    assert_non_null(from);
    size_t n = fread(have, 1, sizeof have, from);
    fclose(from);
    assert_int_equal(n, want.n);
    assert_memory_equal(have, want.p, n);
}

static void environments(void **state)
{
    check("env.md", "States of an environment", "src/env/env.c", env_states);
}

static void deliveries(void **state)
{
    check("delivery.md", "States of a delivery to a subscriber", "src/env/delivery.c",
          delivery_states);
}

static void extensions(void **state)
{
    check("extension.md", "States of an extension", "src/env/extensions.c", extension_states);
}

static void runtimes(void **state)
{
    check("runtime.md", "States of a runtime, as its Runtime API sees them",
          "src/env/runtime_api.c", runtime_api_states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(environments), cmocka_unit_test(deliveries),
                                       cmocka_unit_test(extensions), cmocka_unit_test(runtimes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
