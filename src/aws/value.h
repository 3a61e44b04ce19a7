/* Values of AWS API shapes as C sees them. From spec/<service>.json the build generates, for each
 * structure Xyz of service lambda:
 *
 *     struct lambda_Xyz { members, in the model's order, under AWS's own names };
 *
 *   model type                    member                         absent is
 *   string, enum, blob, payload   struct slice Name              p == NULL (blobs come decoded)
 *   integer, long                 struct opt_i64 Name            !set
 *   double, float, timestamp      struct opt_f64 Name            !set (timestamps: Unix seconds)
 *   boolean                       struct opt_bool Name           !set
 *   structure                     struct lambda_Shape *Name      NULL
 *   list                          struct aws_list Name           !set
 *   map                           struct aws_map Name            !set
 *
 * and for each operation a row `extern const struct aws_operation lambda_op_CreateFunction;` as
 * well as an enum lambda_op { LAMBDA_CreateFunction, ... LAMBDA_OPS }. Everything that decoding
 * produces lives in the request's arena. */
#ifndef LK_AWS_VALUE_H
#define LK_AWS_VALUE_H

#include "base/slice.h"

struct opt_i64 {
    bool set;
    int64_t v;
};

struct opt_f64 {
    bool set;
    double v;
};

struct opt_bool {
    bool set;
    bool v;
};

/* items is an array of what the element type says: struct slice, struct opt_*, or struct lambda_X
 * *.
 */
struct aws_list {
    bool set;
    size_t n;
    void *items;
};

#define AWS_ITEM(list, type, i) (&((type *)(list).items)[i])

/* String keys; values is an array of the value type (struct slice nearly always), like a list's. In
 * the sender's order. */
struct aws_map {
    bool set;
    size_t n;
    struct slice *keys;
    void *values;
};

#define OPT_I64(x) ((struct opt_i64){true, (x)})
#define OPT_F64(x) ((struct opt_f64){true, (x)})
#define OPT_BOOL(x) ((struct opt_bool){true, (x)})

#endif
