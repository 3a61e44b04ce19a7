"""What the runtime client needs only when something fails, or returns what is of no plain type."""
import os
import time

ERROR = 5  # the level of a frame
OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


def frames_of(error):
    """Formatted frames, without those of the client and the import system at the top."""
    import traceback
    # as tuples, so that no markers below the columns are printed
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(error.__traceback__)]
    while frames and (frames[0][0].startswith(OWN) or frames[0][0].startswith("<frozen importlib.")):
        frames.pop(0)
    return traceback.format_list(frames)


def text_of(error):
    try:
        return str(error)
    except Exception:
        return "<unprintable %s object>" % type(error).__name__


def document_of(error, request_id, asked):
    kind = getattr(error, "kind", None) if type(error).__module__ == "_lambkin_client" and type(error).__name__ == "Fault" else None
    document = {"errorMessage": text_of(error), "errorType": kind or type(error).__name__, "requestId": request_id,
                "stackTrace": error.stack if kind else frames_of(error)}
    if asked in ("3.6", "3.7", "3.8"):
        del document["requestId"]
    return document


def log_error(document, sink, dumps):
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = dumps(dict({"timestamp": now, "log_level": "ERROR"}, **document))
        sink.write(line if sink.fd is not None else line + "\n", ERROR, False)
        return
    message = document["errorMessage"]
    lines = ["[ERROR] %s%s" % (document["errorType"], ": " + message if message else ""), "Traceback (most recent call last):"]
    for frame in document["stackTrace"]:
        for line in frame.splitlines() or [""]:
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    if sink.fd is None:  # a line end would split the event
        sink.write("\r".join(lines).replace("\n", "\r") + "\n")
    else:
        sink.write("\n".join(lines), ERROR)


def plain(value, outer=()):
    """The value as simplejson sees it, for the JSON encoder that we have."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, bytes):
        return str(value, "utf-8")
    if id(value) in outer:
        raise ValueError("Circular reference detected")
    outer = (*outer, id(value))
    if not isinstance(value, list):
        as_dict = getattr(value, "_asdict", None)
        if callable(as_dict):
            value = as_dict()
            if not isinstance(value, dict):
                raise TypeError("_asdict() must return a dict, not %s" % type(value).__name__)
        if isinstance(value, dict):
            return {str(k, "utf-8") if isinstance(k, bytes) else k: plain(v, outer) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, outer) for item in value]
    return value


class _Number(str):
    pass


def encode_decimals(value, encode, escape, default):
    """Decimals digit by digit, which needs strings to go through a slower way."""
    def text(string):
        return str.__str__(string) if type(string) is _Number else escape(string)

    def number(other):
        if type(other).__name__ == "Decimal" and hasattr(other, "is_nan"):
            return _Number("NaN" if other.is_nan() else other)
        return default(other)

    return encode(value, number, text)
