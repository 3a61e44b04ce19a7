/* The check of a launcher request, as if the daemon were hostile. What passes must be safe to use:
 * names that cannot leave their folder, strings that end, sizes within their bounds. */
#include "base/mem.h"
#include "launch/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const argv[] = {"x",  "--data",   "/d",    "--runtimes", "/r", "--libexec",
                                       "/l", "--rootfs", "py=/p", "--",         "/x", NULL};
    static struct launch_config config;
    static struct launch_request request;
    struct err err;
    if (!config.data)
        must(launch_config_parse(&config, (char **)(uintptr_t)argv, &err));
    /* Short inputs are the front of a packet, the rest of it zero: the interesting bytes are few.
     */
    memset(&request, 0, sizeof request);
    memcpy(&request, data, size < sizeof request ? size : sizeof request);
    if (!launch_request_check(&request, sizeof request, &config, &err) ||
        (request.op != LAUNCH_SPAWN && request.op != LAUNCH_ASSIGN))
        return 0;
    const struct sandbox_spec *spec = &request.spec;
    bool has_code = spec->kind == LAUNCH_ENVIRONMENT;
    must(strlen(spec->code) == (has_code ? LAUNCH_DIGEST_LEN : 0) && !strpbrk(spec->code, "/."));
    must(has_code || request.op == LAUNCH_SPAWN);
    must(!strchr(spec->runtime, '/') && spec->runtime[0] != '.' &&
         launch_rootfs_dir(&config, spec->rootfs));
    const char *at = spec->strings;
    for (uint32_t i = 0; i < spec->argc + spec->envc; i++)
        at += strlen(at) + 1;
    must(at == spec->strings + spec->strings_len && spec->strings[0] == '/');
    must(spec->layer_count <= (has_code ? LAUNCH_LAYERS_MAX : 0) && spec->tmp_size % 4096 == 0 &&
         spec->memory >= 1 << 20);
    return 0;
}
