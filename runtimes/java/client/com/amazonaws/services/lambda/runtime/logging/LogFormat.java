package com.amazonaws.services.lambda.runtime.logging;

public enum LogFormat {
    JSON,
    TEXT;

    public static LogFormat fromString(String logFormat) {
        return logFormat != null && logFormat.equalsIgnoreCase("JSON") ? JSON : TEXT;
    }
}
