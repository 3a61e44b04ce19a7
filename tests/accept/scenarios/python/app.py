"""What scenarios.test.js asks of every language."""
import base64
import hashlib
import logging
import os
import time


class Custom(Exception):
    pass


def handler(event, context):
    return globals()["do_" + event["do"]](event.get("value"), context)


def do_echo(value, _):
    return value


def do_context(_, context):
    client = context.client_context
    return {
        "id": context.aws_request_id,
        "name": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "memory": int(context.memory_limit_in_mb),
        "group": context.log_group_name,
        "stream": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "client": client and client.custom,
        "identity": context.identity.cognito_identity_id,
    }


def do_environment(names, _):
    return {name: os.environ.get(name) for name in names}


def do_remaining(seconds, context):
    earlier = context.get_remaining_time_in_millis()
    time.sleep(seconds)
    return [earlier, context.get_remaining_time_in_millis()]


def do_trace(_, __):
    return os.environ.get("_X_AMZN_TRACE_ID")


def do_heap(_, __):
    return None  # the limit of the garbage-collected heap in MB, in languages that have one


def do_log(message, _):
    logging.error(message)


def do_levels(message, _):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging, level)("%s %s", message, level.replace("warning", "warn"))


def do_layer(_, __):
    import layered
    return layered.WORD


def do_error(message, _):
    raise ValueError(message)


def do_custom(message, _):
    raise Custom(message)


def do_marshal(_, __):
    return object()


def do_sleep(seconds, _):
    time.sleep(seconds)


def do_exit(status, _):
    os._exit(status)


def do_memory(_, __):
    kept = []
    while True:
        kept.append(b"x" * 10000000)


def do_big(size, _):
    return "x" * size


def do_binary(value, _):
    return hashlib.sha256(base64.b64decode(value)).hexdigest()


def do_print(value, _):
    print(value)
