"""The root handler that the logging package has on Lambda from the start."""
import os
import time

FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"  # the text of an exception comes behind it
SECONDS = "%Y-%m-%dT%H:%M:%S"
FRAME_LEVELS = (0, 2, 3, 4, 5, 6)  # of NOTSET, DEBUG, INFO ...


def install(logging, sink, invocation, dumps):
    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()

    class LambdaFilter(logging.Filter):
        """For formatters of the function's own, too."""

        def filter(self, record):
            record.aws_request_id = invocation.request_id
            record.tenant_id = invocation.tenant_id
            return True

    class LambdaHandler(logging.Handler):
        def emit(self, record):
            try:
                text = self.format(record)
                if sink.fd is None and not text.endswith("\n"):  # a frame is an event as it is
                    text += "\n"
                sink.write(text, FRAME_LEVELS[min(max(record.levelno, 0), 50) // 10], not as_json)
            except Exception:  # as the package's own handlers do
                self.handleError(record)

    class JsonFormatter(logging.Formatter):
        known = set(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"aws_request_id", "tenant_id", "message", "asctime",
                                                                                "taskName"}

        def format(self, record):
            line = {"timestamp": time.strftime(SECONDS + "Z", time.gmtime(record.created)), "level": record.levelname,
                    "message": record.getMessage(), "logger": record.name}
            if record.exc_info and record.exc_info[0]:
                import traceback
                line["stackTrace"] = traceback.format_tb(record.exc_info[2])
                line["errorType"] = record.exc_info[0].__name__
                line["errorMessage"] = str(record.exc_info[1])
            line["requestId"] = getattr(record, "aws_request_id", None)
            if "stackTrace" in line:
                line["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
            line["tenantId"] = getattr(record, "tenant_id", None)
            for key, value in record.__dict__.items():
                if key not in self.known and key not in line:
                    line[key] = value
            line = {key: value for key, value in line.items() if value is not None}
            try:
                return dumps(line) + "\n"
            except (TypeError, ValueError):
                return dumps({key: value if isinstance(value, (str, int, float, list)) else str(value) for key, value in line.items()}) + "\n"

    logging.Formatter.converter = time.gmtime
    handler = LambdaHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(FORMAT, SECONDS))
    handler.addFilter(LambdaFilter())
    logging.root.addHandler(handler)
    level = {"TRACE": "DEBUG"}.get(level, level)
    if isinstance(logging.getLevelName(level), int):
        logging.root.setLevel(level)
