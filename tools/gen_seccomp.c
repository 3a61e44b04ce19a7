/* Compiles src/launch/seccomp.policy into two constant filters. Runs at build time only, so that no
 * program of ours carries libseccomp or builds a filter while somebody waits.
 * usage: gen_seccomp POLICY ARCH > HEADER   (ARCH as meson calls it: x86_64, aarch64)
 *
 * libseccomp cannot express "deny if" next to "allow" for one call, hence two filters that are
 * loaded one after the other; the kernel takes the stricter answer, and of two errno answers that
 * of the filter loaded last. */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int line_number;
static bool cross; /* for another architecture than the one that builds */

static _Noreturn void fail(const char *what, const char *which)
{
    fprintf(stderr, "seccomp.policy:%d: %s %s\n", line_number, what, which);
    exit(1);
}

static int errno_of(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } known[] = {
        {"EPERM", EPERM}, {"EINVAL", EINVAL}, {"ENOSYS", ENOSYS}, {"EAFNOSUPPORT", EAFNOSUPPORT}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!strcmp(known[i].name, name))
            return known[i].value;
    }
    fail("unknown errno", name);
}

static unsigned long long number(const char *text)
{
    char *end = NULL;
    unsigned long long value = text ? strtoull(text, &end, 0) : 0;
    if (!text || *end)
        fail("not a number:", text ? text : "(end of line)");
    return value;
}

/* "arg1 & 0xf == 2 arg2 == 0": what is left of the line is conditions. */
static unsigned conditions(char **save, char *word, bool low_half, struct scmp_arg_cmp *cmp)
{
    unsigned n = 0;
    while (word) {
        if (strncmp(word, "arg", 3) || word[3] < '0' || word[3] > '5' || word[4] || n == 6)
            fail("not an argument:", word);
        cmp[n].arg = (unsigned)(word[3] - '0');
        char *op = strtok_r(NULL, " \t", save);
        unsigned long long mask = 0;
        if (op && !strcmp(op, "&")) {
            mask = number(strtok_r(NULL, " \t", save));
            op = strtok_r(NULL, " \t", save);
        }
        if (!op || strcmp(op, "=="))
            fail("expected ==, got", op ? op : "(end of line)");
        unsigned long long value = number(strtok_r(NULL, " \t", save));
        if (low_half)
            mask = 0xffffffff;
        cmp[n].op = mask ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ;
        cmp[n].datum_a = mask ? mask : value;
        cmp[n].datum_b = mask ? value : 0;
        n++;
        word = strtok_r(NULL, " \t", save);
    }
    return n;
}

static void rule(scmp_filter_ctx ctx, unsigned action, const char *name, unsigned n,
                 const struct scmp_arg_cmp *cmp)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr < 0)
        return; /* this architecture or this libseccomp does not have it: stays ENOSYS */
    /* Not every call exists elsewhere (open, stat, fork): "exact" would refuse them. */
    if (cross ? seccomp_rule_add_array(ctx, action, nr, n, cmp)
              : seccomp_rule_add_exact_array(ctx, action, nr, n, cmp))
        fail("libseccomp refuses", name);
}

static void set_arch(scmp_filter_ctx ctx, const char *arch)
{
    uint32_t token = seccomp_arch_resolve_name(arch);
    if (!token)
        fail("unknown architecture", arch);
    cross = token != seccomp_arch_native();
    if (cross && (seccomp_arch_add(ctx, token) || seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE)))
        fail("libseccomp refuses", arch);
}

static void print_filter(scmp_filter_ctx ctx, const char *name)
{
    FILE *file = tmpfile();
    struct sock_filter insn;
    size_t count = 0;
    if (!file || seccomp_export_bpf(ctx, fileno(file)))
        fail("cannot export", name);
    rewind(file);
    printf("static const struct sock_filter %s[] = {\n", name);
    for (; fread(&insn, sizeof insn, 1, file) == 1; count++)
        printf("    {0x%02x, %u, %u, 0x%08x},\n", insn.code, insn.jt, insn.jf, insn.k);
    printf("};\n\n");
    if (!count)
        fail("empty filter", name);
    fclose(file);
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *policy = argc == 3 ? fopen(argv[1], "re") : NULL;
    scmp_filter_ctx allow = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    scmp_filter_ctx deny = seccomp_init(SCMP_ACT_ALLOW);
    if (!policy || !allow || !deny)
        fail("cannot open", argc == 3 ? argv[1] : "the policy");
    set_arch(allow, argv[2]);
    set_arch(deny, argv[2]);
    seccomp_attr_set(allow, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(deny, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(allow, SCMP_FLTATR_CTL_OPTIMIZE, 2);

    while (fgets(line, sizeof line, policy)) {
        char *save = NULL;
        struct scmp_arg_cmp cmp[6];
        line_number++;
        line[strcspn(line, "#\n")] = '\0';
        char *verb = strtok_r(line, " \t", &save);
        if (!verb)
            continue;
        if (!strcmp(verb, "deny")) {
            unsigned action = SCMP_ACT_ERRNO((unsigned)errno_of(strtok_r(NULL, " \t", &save)));
            char *name = strtok_r(NULL, " \t", &save);
            unsigned n = conditions(&save, strtok_r(NULL, " \t", &save), true, cmp);
            rule(deny, action, name, n, cmp);
            continue;
        }
        unsigned action = SCMP_ACT_ALLOW;
        if (!strcmp(verb, "errno"))
            action = SCMP_ACT_ERRNO((unsigned)errno_of(strtok_r(NULL, " \t", &save)));
        else if (strcmp(verb, "allow"))
            fail("unknown word", verb);
        for (char *name = strtok_r(NULL, " \t", &save); name;) {
            char *next = strtok_r(NULL, " \t", &save);
            unsigned n = next && !strncmp(next, "arg", 3) ? conditions(&save, next, false, cmp) : 0;
            rule(allow, action, name, n, cmp);
            name = n ? NULL : next;
        }
    }
    printf("/* Generated from seccomp.policy by tools/gen_seccomp.c. */\n#include "
           "<linux/filter.h>\n\n");
    print_filter(allow, "seccomp_allow");
    print_filter(deny, "seccomp_deny");
    return 0;
}
