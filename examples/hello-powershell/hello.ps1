# The event comes as $LambdaInput, the context as $LambdaContext. The last object that is output is the answer.
$name = $LambdaInput.name ?? 'world'
$greeting = $env:GREETING ?? 'Hello'
Write-Host "saying hello to $name"
[ordered]@{ message = "$greeting, $name!"; request = $LambdaContext.AwsRequestId }
