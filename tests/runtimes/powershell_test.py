"""PowerShell on the .NET runtime: scripts and functions as handlers, and the package that AWSLambdaPSCore makes."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from platform_mock import TOP, Client

HOMES = ("/usr/share/powershell", "/usr/lib/powershell", "/usr/local/share/powershell", "/usr/local/lib/powershell")
HOME = next((pathlib.Path(home) for home in HOMES if os.path.exists(f"{home}/System.Management.Automation.dll")), None)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SCRIPT = """
switch ($LambdaInput.do) {
    'object' { 'not the last one'; @{ one = @{ two = @{ three = 4 } } } }
    'text' { "no JSON: $($LambdaContext.AwsRequestId)" }
    'arguments' { "$($args[0].do) $($args[1].FunctionName)" }
    'variable' { $global:count++; "$global:count" }
    'nothing' { }
    'context' { $c = $LambdaContext; "$($c.ClientContext.Custom['k']) $($c.ClientContext.Client.AppTitle) $($c.Identity.IdentityId)" }
    'process' { "$env:HOME $env:TEMP $env:TMPDIR $PSScriptRoot" }
    'log' { Write-Verbose 'one' -Verbose; Write-Debug 'two' -Debug; Write-Host 'three'; Write-Warning "four`nlines"; $LambdaContext.Logger.LogLine('five') }
    'name' { throw 'AccountNotFound' }
    'names' { throw @{ Exception = 'AccountNotFound'; Message = 'none such' } }
    'long' { throw ('a' * 5000 + '!') }
    'words' { throw 'two words' }; 'digit' { throw 'a.4b' }
    'written' { Write-Error 'first'; Write-Error 'second'; 'a result' }
    'dotnet' { [int]::Parse('x') }
    'stop' { Get-Item /nothere -ErrorAction Stop }
    'handled' { try { throw 'x' } catch { 'caught' } }
    'exit' { [Environment]::Exit(7) }
}
"""
FUNCTIONS = """
Write-Host 'loaded'
$script:count = 0
function Get-Count($event, $context) { $script:count++; "$script:count $($event.x) $($context.FunctionName)" }
"""


def setUpModule():
    if HOME is None or not (TOP / "runtimes" / "dotnet" / "powershell.dll").exists():
        if os.environ.get("LK_MUST_RUN") == "1":
            raise AssertionError("PowerShell is not here, or what runs it is not built")
        raise unittest.SkipTest("PowerShell is not here, or what runs it is not built")


class PowerShellCase(unittest.TestCase):
    def start(self, handler, files=None, **options):
        client = Client("dotnet", files or {"app.ps1": SCRIPT}, handler, runtime="dotnet10", **options)
        self.addCleanup(client.close)
        return client


class Scripts(PowerShellCase):
    def test_results_and_errors(self):
        c = self.start("app.ps1", framed=True)

        def ask(what, **headers):
            kind, request = c.invoke(json.dumps({"do": what}).encode(), **headers)
            self.assertEqual(kind, "response", request.body)
            return request.body.decode()

        self.assertEqual(json.loads(ask("object"))["one"]["two"], {"three": 4})
        self.assertEqual(ask("text"), f"no JSON: {c.id}")
        self.assertEqual(ask("arguments"), "arguments fn")
        self.assertEqual([ask("variable"), ask("variable")], ["1", "1"])
        self.assertEqual(ask("nothing"), "")
        self.assertEqual(ask("context", Lambda_Runtime_Client_Context='{"client":{"app_title":"t"},"custom":{"k":"v"}}',
                             Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"id"}'), "v t id")
        self.assertEqual(c.fail(b'{"do":"context"}')["errorMessage"], "Cannot index into a null array.")
        self.assertEqual(ask("process"), f"/tmp/home /tmp /tmp {c.task}")
        self.assertEqual(ask("handled"), "caught")
        for what, kind, message, line in (
                ("name", "AccountNotFound", "AccountNotFound", 11), ("names", "AccountNotFound", "none such", 12),
                ("words", "RuntimeException", "two words", 14), ("written", "WriteErrorException", "second", 15),
                ("dotnet", "FormatException", "The input string 'x' was not in a correct format.", 16),
                ("stop", "ItemNotFoundException", "Cannot find path '/nothere' because it does not exist.", 17)):
            document = c.fail(json.dumps({"do": what}).encode())
            self.assertEqual(document, {"errorType": kind, "errorMessage": message, "stackTrace": [f"at <ScriptBlock>, {c.task}/app.ps1: line {line}"]})
        for what in ("long", "digit"):
            self.assertEqual(c.fail(json.dumps({"do": what}).encode())["errorType"], "RuntimeException")
        self.assertEqual(c.fail(b"no JSON")["errorType"], "ArgumentException")
        c.frames()
        ask("log")
        texts = [frame.text for frame in c.frames(3)]
        for text, (level, message) in zip(texts, (("info", r"\[Information\] - three"), ("warn", r"\[Warning\] - four\nlines"), ("info", "five"))):
            self.assertRegex(text, rf"^{TIME}\t{c.id}\t{level}\t{message}\n$")
        c.give(b'{"do":"exit"}')
        self.assertEqual(c.wait(), 7)


class Functions(PowerShellCase):
    FILES = {"app.ps1": FUNCTIONS, "modules/Mine/Mine.psm1": FUNCTIONS, "bad.ps1": "function {", "throws.ps1": "throw 'AtInit'"}

    def test_they_are_loaded_once(self):
        for handler, env in (("app.ps1::Get-Count", {}), ("app.ps1", {"AWS_POWERSHELL_FUNCTION_HANDLER": "Get-Count"}), ("Module::Mine::Get-Count", {})):
            c = self.start(handler, self.FILES, env=env)
            self.assertEqual([c.invoke(b'{"x":"a"}')[1].body for _ in range(2)], [b"1 a fn", b"2 a fn"], handler)
            self.assertEqual(c.stdout().count("[Information] - loaded"), 1)

    def test_what_is_refused_in_the_init(self):
        for handler, kind, message in (
                ("nothere.ps1", "LambdaPowerShellException", "Failed to find PowerShell script nothere.ps1. Make sure the script is included with the package bundle."),
                ("bad.ps1::x", "ParseException", "Missing name after function keyword."), ("throws.ps1::x", "AtInit", "AtInit"),
                ("app.ps1::Nothere", "LambdaPowerShellException", "Failed to find function Nothere in app.ps1."), ("Module::Nothere::x", "FileNotFoundException", "The specified module 'Nothere' was not loaded")):
            with self.subTest(handler):
                error, document, code = self.start(handler, self.FILES).init_error()
                self.assertEqual((error, document["errorType"], code), (kind, kind, -6))
                self.assertIn(message, document["errorMessage"])


class Package(PowerShellCase):
    PARTS = ("System.Management.Automation.dll", "Microsoft.PowerShell.*.dll", "Microsoft.Management.Infrastructure*.dll", "Newtonsoft.Json.dll",
             "Microsoft.Extensions.ObjectPool.dll", "Microsoft.ApplicationInsights.dll", "libpsl-native.so")

    def test_with_powershell_inside(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([TOP / "tests/support/dotnet/build", folder, "Script", f"-r:{HOME}/System.Management.Automation.dll",
                            TOP / "tests/runtimes/dotnet/PowerShellHost.cs"], check=True)
            files = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
        for part in self.PARTS:
            files.update({path.name: path.read_bytes() for path in HOME.glob(part)})
        for path in HOME.glob("Modules/Microsoft.PowerShell.*/*.psd1"):
            files[str(path.relative_to(HOME))] = path.read_bytes()
        files["script.ps1"] = "Write-Warning 'seen'\n\"$($LambdaInput.name) $($LambdaContext.FunctionName) $([psobject].Assembly.Location)\""
        c = self.start("Script::Script.Bootstrap::ExecuteFunction", files)
        self.assertEqual(c.invoke(b'{"name":"Ada"}')[1].body.decode(), f"Ada fn {c.task}/System.Management.Automation.dll")
        self.assertIn("[Warning] - seen", c.stdout())


if __name__ == "__main__":
    unittest.main()
