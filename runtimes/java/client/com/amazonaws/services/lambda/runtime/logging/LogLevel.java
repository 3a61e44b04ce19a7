package com.amazonaws.services.lambda.runtime.logging;

public enum LogLevel {
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL;

    public static LogLevel fromString(String logLevel) {
        for (LogLevel level : values()) {
            if (level.name().equalsIgnoreCase(logLevel)) return level;
        }
        return UNDEFINED;
    }
}
