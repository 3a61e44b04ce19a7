#!/usr/bin/python3
"""Turns spec/<service>.json into <service>_api.h (typed structs) and <service>_api.c (the tables). See src/aws/value.h.
usage: gen_api.py SERVICE SPEC OUTPUT_DIR"""
import json
import pathlib
import sys

service, spec_path, out_dir = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
spec = json.loads(pathlib.Path(spec_path).read_text())
shapes, operations = spec["shapes"], spec["operations"]
PLAIN = {"string": ("struct slice", "AWS_STRING"), "blob": ("struct slice", "AWS_BLOB"),
         "integer": ("struct opt_i64", "AWS_INTEGER"), "long": ("struct opt_i64", "AWS_LONG"),
         "double": ("struct opt_f64", "AWS_DOUBLE"), "float": ("struct opt_f64", "AWS_DOUBLE"),
         "timestamp": ("struct opt_f64", "AWS_TIMESTAMP"), "boolean": ("struct opt_bool", "AWS_BOOLEAN")}
WHERE = {None: "AWS_BODY", "uri": "AWS_URI", "querystring": "AWS_QUERY", "header": "AWS_HEADER", "statusCode": "AWS_STATUS",
         "headers": "AWS_BODY"}
RESERVED = {"default", "long", "int", "register"}


def quote(text):
    return json.dumps(text)


def c_name(name):
    return name + "_" if name in RESERVED else name


def c_type(shape_name):
    shape = shapes[shape_name]
    if shape["type"] == "structure":
        return f"struct {service}_{shape_name} *"
    if shape["type"] in ("list", "map"):
        return f"struct aws_{shape['type']} "
    return PLAIN[shape["type"]][0] + " "


# Everything that an operation reaches, in a fixed order; errors need no typed struct.
reached = []


def reach(name):
    if name in reached:
        return
    reached.append(name)
    shape = shapes[name]
    for member in shape.get("members", {}).values():
        reach(member["shape"])
    for part in ("member", "key", "value"):
        if part in shape:
            reach(shape[part]["shape"])


for operation in operations.values():
    for side in ("input", "output"):
        if side in operation:
            reach(operation[side])
if not operations:  # a spec of documents that are stored, not sent
    for name in shapes:
        reach(name)
number = {name: i for i, name in enumerate(reached)}


def header():
    guard = f"LK_{service.upper()}_API_H"
    yield f"/* Generated from spec/{service}.json by tools/gen_api.py. */\n#ifndef {guard}\n#define {guard}\n"
    yield '#include "aws/shape.h"\n'
    structs = [n for n in reached if shapes[n]["type"] == "structure"]
    for name in structs:
        yield f"struct {service}_{name} {{"
        for member, row in shapes[name].get("members", {}).items():
            yield f"    {c_type(row['shape'])}{c_name(member)};"
        if not shapes[name].get("members"):
            yield "    char none_;"
        yield "};\n"
    for name in structs:
        yield f"extern const struct aws_shape *const {service}_shape_{name};"
    if operations:
        yield f"enum {service}_op {{"
        for name in operations:
            yield f"    {service.upper()}_{name},"
        yield f"    {service.upper()}_OPS\n}};\n"
        for name in operations:
            yield f"extern const struct aws_operation {service}_op_{name};"
        yield f"extern const struct aws_service {service}_service;"
    yield "\n#endif"


def members_of(name):
    shape = shapes[name]
    rows = []
    for member, row in shape.get("members", {}).items():
        where = "AWS_PAYLOAD" if shape.get("payload") == member else WHERE[row.get("location")]
        camel = member[0].lower() + member[1:]
        rows.append(f"    {{S_INIT({quote(row.get('locationName', member))}), S_INIT({quote(camel)}), "
                    f"&shapes[{number[row['shape']]}], offsetof(struct {service}_{name}, {c_name(member)}), {where}, "
                    f"{'true' if member in shape.get('required', []) else 'false'}}},")
    return rows


def shape_row(name):
    shape = shapes[name]
    kind = shape["type"]
    parts = [f".name = {quote(name)}"]
    if kind in PLAIN:
        parts.append(f".type = {PLAIN[kind][1]}")
    else:
        parts.append(f".type = AWS_{kind.upper()}")
    if kind == "structure":
        count = len(shape.get("members", {}))
        parts.append(f".size = sizeof(struct {service}_{name})")
        if count:
            parts.append(f".members = members_{name}, .member_count = {count}")
    if kind == "list":
        parts.append(f".element = &shapes[{number[shape['member']['shape']]}]")
    if kind == "map":
        parts.append(f".key = &shapes[{number[shape['key']['shape']]}], .element = &shapes[{number[shape['value']['shape']]}]")
    for bound in ("min", "max"):
        if bound in shape:
            parts.append(f".has_{bound} = true, .{bound} = {int(shape[bound])}")
    if "pattern" in shape:
        parts.append(f".pattern = {quote(shape['pattern'])}")
        # Every pattern of this kind matches a bare name: the warm path then needs no expression.
        if "(function:)?([a-zA-Z0-9-_" in shape["pattern"] and not shape["pattern"].startswith("arn:"):
            parts.append(".takes_plain_names = true")
    if "enum" in shape:
        parts.append(f".enums = enums_{name}, .enum_count = {len(shape['enum'])}")
    return "    {" + ", ".join(parts) + "},"


def error_rows():
    """Status and the name of the message member: clients see both (controlplane.md fact 1)."""
    for name, shape in shapes.items():
        if not shape.get("exception"):
            continue
        members = shape.get("members", {})
        member = next((m for m in members if m.lower() == "message"), "message")
        status = shape.get("error", {}).get("httpStatusCode", 500 if shape.get("fault") else 400)
        has_type = "true" if "Type" in members else "false"
        yield f"    {{{quote(name)}, {status}, {quote(member)}, {has_type}}},"


def source():
    yield f"/* Generated from spec/{service}.json by tools/gen_api.py. */\n#include \"{service}_api.h\"\n\n#include <stddef.h>\n"
    yield "static const struct aws_shape shapes[];\n"
    for name in reached:
        if "enum" in shapes[name]:
            values = ", ".join(f"S_INIT({quote(v)})" for v in shapes[name]["enum"])
            yield f"static const struct slice enums_{name}[] = {{{values}}};"
        if shapes[name]["type"] == "structure" and shapes[name].get("members"):
            yield f"static const struct aws_member members_{name}[] = {{"
            yield from members_of(name)
            yield "};"
    yield "\nstatic const struct aws_shape shapes[] = {"
    yield from map(shape_row, reached)
    yield "};\n"
    for name in reached:
        if shapes[name]["type"] == "structure":
            yield f"const struct aws_shape *const {service}_shape_{name} = &shapes[{number[name]}];"
    if not operations:
        return
    yield "\nstatic const struct aws_error_row errors[] = {"
    yield from error_rows()
    yield "};\n"
    for name, row in operations.items():
        http = row["http"] if "http" in row else {"method": "POST", "requestUri": "/", "responseCode": 200}
        io = [f".{side} = &shapes[{number[row[side]]}]" for side in ("input", "output") if side in row]
        yield (f"const struct aws_operation {service}_op_{name} = {{.service = &{service}_service, .name = S_INIT({quote(name)}), "
               f".number = {service.upper()}_{name}, .method = S_INIT({quote(http['method'])}), "
               f".uri = S_INIT({quote(http['requestUri'].partition('?')[0])}), "
               f".segments = {http['requestUri'].partition('?')[0].count('/')}, "
               f".query = S_INIT({quote(http['requestUri'].partition('?')[2])}), .status = {http.get('responseCode', 200)}"
               + "".join(", " + part for part in io) + "};")
    yield "\nstatic const struct aws_operation *const operations[] = {"
    for name in operations:
        yield f"    &{service}_op_{name},"
    yield "};\n"
    meta = spec["metadata"]
    protocol = {"rest-json": "AWS_REST_JSON", "json": "AWS_JSON"}[meta["protocol"]]
    yield (f"const struct aws_service {service}_service = {{.name = {quote(service)}, .protocol = {protocol}, "
           f".target = S_INIT({quote(meta.get('targetPrefix', ''))}), .content_type = "
           f"{quote('application/x-amz-json-' + meta['jsonVersion'] if 'jsonVersion' in meta else 'application/json')}, "
           f".operations = operations, .operation_count = {len(operations)}, .errors = errors, "
           "              .error_count = sizeof errors / sizeof errors[0]};")


(out_dir / f"{service}_api.h").write_text("\n".join(header()) + "\n")
(out_dir / f"{service}_api.c").write_text("\n".join(source()) + "\n")
