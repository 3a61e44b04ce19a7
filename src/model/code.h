/* Code packages by digest: who uses them. A package that nobody uses any more is told once, so that
 * its files can be removed; the counts live in memory, files without a use are swept at start. */
#ifndef LK_CODE_H
#define LK_CODE_H

#include "base/slice.h"

struct codes;

struct codes *codes_new(void);

/* The owner's end: from here on nothing is reported as unused. Lives on until the last use ends. */
void codes_close(struct codes *codes);

typedef void code_unused(void *arg, const char *digest);
void codes_on_unused(struct codes *codes, code_unused *unused, void *arg);

void code_use(struct codes *codes, const char *digest);
void code_release(struct codes *codes, const char *digest);
bool code_in_use(const struct codes *codes, const char *digest);

/* Whether its tree has been unpacked since its first use. */
bool code_is_unpacked(const struct codes *codes, const char *digest);
void code_set_unpacked(struct codes *codes, const char *digest);

/* What its tree takes; 0: not looked at yet. */
uint64_t code_unpacked_bytes(const struct codes *codes, const char *digest);
void code_set_unpacked_bytes(struct codes *codes, const char *digest, uint64_t bytes);

#endif
