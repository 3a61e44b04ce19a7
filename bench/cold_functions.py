"""The functions that bench/run starts cold, one for each language, and what the machine does by itself in the same language: the
bare interpreter, or a hello-world program where there is none. What is compiled is built here, if its tools are there."""
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent

RUBY = "def handler(event:, context:)\n  event\nend\n"
JAVA = """public class Hello {
    public Object handle(Object event) { return event; }
    public static void main(String[] args) { System.out.println("hello"); }
}
"""
CSHARP = """public class Hello {
    public System.IO.Stream Handle(System.IO.Stream e) => e;
    public static void Main() => System.Console.WriteLine("hello");
}
"""


class Missing(Exception):
    """Its tools are not on this machine."""


def tool(name):
    found = shutil.which(name)
    if not found:
        raise Missing(f"no {name} here")
    return found


def files_of(folder):
    return {str(f.relative_to(folder)): (f.read_bytes(), f.stat().st_mode & 0o777) for f in folder.rglob("*") if f.is_file()}


def ruby(_build, _dir):
    return {"runtime": "ruby3.3", "handler": "app.handler", "files": {"app.rb": (RUBY, 0o644)}, "bare": [tool("ruby"), "-e", "0"]}


def go(_build, folder):
    subprocess.run([tool("go"), "build", "-ldflags", "-s -w", "-o", folder / "bootstrap", "."], cwd=TOP / "examples/hello-go", check=True)
    return {"runtime": "provided.al2023", "handler": "any", "files": files_of(folder), "bare": None, "event": '{"name": "Ada"}'}


def java(_build, folder):
    (folder / "Hello.java").write_text(JAVA)
    subprocess.run([tool("javac"), "--release", "8", "-Xlint:-options", "-d", folder, folder / "Hello.java"], check=True)
    return {"runtime": "java17", "handler": "Hello::handle", "files": files_of(folder), "bare": [tool("java"), "-cp", str(folder), "Hello"]}


def dotnet(_build, folder):
    version = subprocess.run([tool("dotnet"), "--version"], capture_output=True, text=True, check=True).stdout.split(".")[0]
    project = folder / "project"
    project.mkdir()
    (project / "Hello.cs").write_text(CSHARP)
    (project / "Hello.csproj").write_text(f"""<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType>
<UseAppHost>false</UseAppHost><TargetFramework>net{version}.0</TargetFramework></PropertyGroup></Project>""")
    subprocess.run(["dotnet", "publish", "--nologo", "-v", "q", "-o", folder / "out", project], check=True, stdout=subprocess.DEVNULL)
    return {"runtime": f"dotnet{version}", "handler": "Hello::Hello::Handle", "files": files_of(folder / "out"),
            "bare": ["dotnet", str(folder / "out/Hello.dll")]}


# The bare interpreter is beaten twice over; beside a hello-world program in Java or C# it is enough to be no slower.
COMPILED = {"ruby": (ruby, 0.5), "go": (go, None), "java": (java, 1.0), "dotnet": (dotnet, 1.0)}
