# What scenarios.test.js asks of every language.
$ErrorActionPreference = 'Stop'
$json = @{ Compress = $true; Depth = 20 }

class Custom : Exception {
    Custom([string]$message) : base($message) { }
}

function Show-Context($context) {
    ConvertTo-Json @json ([ordered]@{
        id = $context.AwsRequestId
        name = $context.FunctionName
        version = $context.FunctionVersion
        arn = $context.InvokedFunctionArn
        memory = $context.MemoryLimitInMB
        group = $context.LogGroupName
        stream = $context.LogStreamName
        remaining = [long]$context.RemainingTime.TotalMilliseconds
        client = $context.ClientContext.Custom
        identity = $context.Identity.IdentityId
    })
}

function Show-Variables($names) {
    $found = [ordered]@{}
    foreach ($name in $names) { $found[$name] = [Environment]::GetEnvironmentVariable($name) }
    ConvertTo-Json @json $found
}

function Show-Remaining($seconds, $context) {
    $earlier = [long]$context.RemainingTime.TotalMilliseconds
    Start-Sleep -Milliseconds (1000 * $seconds)
    ConvertTo-Json @json @($earlier, [long]$context.RemainingTime.TotalMilliseconds)
}

function Write-Levels($message, $logger) {
    Write-Debug "$message debug" -Debug
    Write-Information "$message info"
    Write-Warning "$message warn"
    $logger.Log('Error', "$message error") # what is written as an error fails the invocation
}

function Use-Memory {
    for ($kept = [System.Collections.ArrayList]::new(); ;) { [void]$kept.Add([string]::new('x', 5000000)) }
}

function handler($event, $context) {
    $value = $event.value
    switch ($event.do) {
        'echo' { ConvertTo-Json @json -InputObject $value }
        'context' { Show-Context $context }
        'environment' { Show-Variables $value }
        'remaining' { Show-Remaining $value $context }
        'trace' { ConvertTo-Json @json $env:_X_AMZN_TRACE_ID }
        'heap' { ConvertTo-Json @json ([GC]::GetGCMemoryInfo().TotalAvailableMemoryBytes -shr 20) }
        'layer' { ConvertTo-Json @json (Get-Word) }
        'error' { throw [System.IO.InvalidDataException]::new($value) }
        'custom' { throw [Custom]::new($value) }
        'sleep' { Start-Sleep $value }
        'exit' { [Environment]::Exit($value) }
        'memory' { Use-Memory }
        'big' { '"' + [string]::new('x', $value) + '"' }
        'binary' {
            $hash = [System.Security.Cryptography.SHA256]::HashData([Convert]::FromBase64String($value))
            ConvertTo-Json @json ([Convert]::ToHexString($hash).ToLower())
        }
        'print' { Write-Host $value }
        'log' { Write-Warning $value }
        'levels' { Write-Levels $value $context.Logger }
    }
}
