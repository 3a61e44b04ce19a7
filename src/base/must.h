/* Statements that can only be false if we made a mistake. Always compiled in; never about input. */
#ifndef LK_MUST_H
#define LK_MUST_H

#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

/* Prints the place and aborts; the launcher restarts the daemon. */
_Noreturn void must_fail(const char *cond, const char *file, int line, const char *func);

#define must(cond)                                                                                 \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            must_fail(#cond, __FILE__, __LINE__, __func__);                                        \
    } while (0)

/* "a implies b" */
#define ERGO(a, b) (!(a) || (b))

/* Structs that travel as `void *arg` begin with `uint32_t magic`; callbacks start with CAST. */
#define CAST(type, arg, m)                                                                         \
    __extension__({                                                                                \
        struct type *cast_p_ = (arg);                                                              \
        must(cast_p_ != NULL && cast_p_->magic == (m));                                            \
        cast_p_;                                                                                   \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
