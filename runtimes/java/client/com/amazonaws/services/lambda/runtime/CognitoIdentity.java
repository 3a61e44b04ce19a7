package com.amazonaws.services.lambda.runtime;

/** Who called, if Amazon Cognito knows it. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
