package com.amazonaws.services.lambda.runtime;

/** The application on a device that calls, as the AWS Mobile SDK describes it. */
public interface Client {
    String getInstallationId();

    String getAppTitle();

    String getAppVersionName();

    String getAppVersionCode();

    String getAppPackageName();
}
