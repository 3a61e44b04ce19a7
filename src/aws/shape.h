/* The tables that tools/gen_api.py makes from spec/: shapes, operations, error codes of a service.
 */
#ifndef LK_AWS_SHAPE_H
#define LK_AWS_SHAPE_H

#include "aws/value.h"

enum aws_type {
    AWS_STRING,
    AWS_BLOB,
    AWS_INTEGER,
    AWS_LONG,
    AWS_DOUBLE,
    AWS_TIMESTAMP,
    AWS_BOOLEAN,
    AWS_STRUCTURE,
    AWS_LIST,
    AWS_MAP,
};

enum aws_where { AWS_BODY, AWS_URI, AWS_QUERY, AWS_HEADER, AWS_STATUS, AWS_PAYLOAD };
enum aws_protocol { AWS_REST_JSON, AWS_JSON, AWS_QUERY_XML };

struct aws_shape;

struct aws_member {
    struct slice wire;  /* its name in body, query, header or path */
    struct slice camel; /* its name in constraint texts: "functionName" */
    const struct aws_shape *shape;
    size_t offset; /* in the generated struct */
    enum aws_where where;
    bool required;
};

struct aws_shape {
    const char *name;
    enum aws_type type;
    bool has_min, has_max;  /* of a number's value, a string's or list's length */
    bool takes_plain_names; /* its pattern matches every [a-zA-Z0-9-_]+ */
    bool sensitive;         /* its values stand in no message */
    int64_t min, max;
    const char *pattern; /* the whole value must match; NULL = any */
    const char *said; /* what is said instead of the pattern ("It must " and this) or, of a list, of
                       * a wrong element; or NULL */
    const struct slice *enums;
    size_t enum_count;
    const struct aws_member *members; /* structure */
    size_t member_count;
    size_t size;                     /* of the generated struct */
    const struct aws_shape *key;     /* map */
    const struct aws_shape *element; /* list, map */
};

struct aws_error_row {
    const char *code;
    int status;
    const char *message_member; /* "Message" or "message" */
    bool has_type;              /* a Type member is sent, too */
};

struct aws_service;

struct aws_operation {
    const struct aws_service *service;
    struct slice name;
    unsigned number; /* in the service's enum */
    struct slice method;
    struct slice uri;   /* "/2015-03-31/functions/{FunctionName}" */
    unsigned segments;  /* slashes in uri: tells most operations apart at once */
    struct slice query; /* "List=ALL": tells it from another operation of the same path */
    int status;
    const struct aws_shape *input;  /* NULL: takes nothing */
    const struct aws_shape *output; /* NULL: answers nothing */
};

struct aws_service {
    const char *name; /* also the name in a credential scope */
    enum aws_protocol protocol;
    struct slice target; /* AWS_JSON: prefix of X-Amz-Target */
    const char *content_type;
    const char *invalid;  /* code for what breaks the model; NULL: ValidationException */
    struct slice version; /* AWS_QUERY_XML: "2010-05-08" */
    struct slice xmlns;   /* AWS_QUERY_XML */
    const struct aws_operation *const *operations;
    size_t operation_count;
    const struct aws_error_row *errors;
    size_t error_count;
};

/* Bytes that a value of this shape takes in a generated struct, a list or a map. */
size_t aws_value_size(const struct aws_shape *shape);

#endif
