#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *err, enum fault fault, const char *fmt, ...)
{
    va_list args;
    err->fault = fault;
    err->os = 0;
    va_start(args, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    return false;
}

bool err_os(struct err *err, int os, const char *fmt, ...)
{
    char text[sizeof err->msg];
    va_list args;
    err->fault = FAULT_INTERNAL;
    err->os = os;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(err->msg, sizeof err->msg, "%.180s: %s", text, strerror(os));
    return false;
}

bool err_add(struct err *err, const char *fmt, ...)
{
    char text[sizeof err->msg];
    char old[sizeof err->msg];
    va_list args;
    memcpy(old, err->msg, sizeof old);
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(err->msg, sizeof err->msg, "%.100s: %.137s", text, old);
    return false;
}
