using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)] // not in our own folder first
[assembly: System.Runtime.CompilerServices.InternalsVisibleTo("powershell")]

namespace Lambkin;

/// <summary>The few system calls for which the framework's classes cost too much when a process starts.</summary>
static unsafe class Libc
{
    const string Name = "libc.so.6";
    const int EINTR = 4;

    [DllImport(Name, SetLastError = true)] static extern nint read(int fd, byte* to, nint n);
    [DllImport(Name, SetLastError = true)] static extern nint write(int fd, byte* from, nint n);
    [DllImport(Name, SetLastError = true)] static extern int poll(int* fds, nint n, int timeout);
    [DllImport(Name, SetLastError = true)] static extern int socket(int domain, int type, int protocol);
    [DllImport(Name, SetLastError = true)] static extern int connect(int fd, byte* address, int n);
    [DllImport(Name, SetLastError = true)] static extern int close(int fd);
    [DllImport(Name, SetLastError = true)] static extern int chdir(byte* path);
    [DllImport(Name, SetLastError = true)] static extern int clearenv();
    [DllImport(Name, SetLastError = true)] static extern int setenv(byte* name, byte* value, int overwrite);
    [DllImport(Name, SetLastError = true)] static extern int execv(byte* path, byte** args);
    [DllImport(Name)] static extern void _exit(int status);

    public static string Error() => Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());

    static bool WasInterrupted() => Marshal.GetLastPInvokeError() == EINTR;

    /// <returns>the number of bytes, 0 at the end, -1 for an error</returns>
    public static int Read(int fd, byte[] to, int at)
    {
        fixed (byte* p = to)
        {
            nint n;
            do n = read(fd, p + at, to.Length - at);
            while (n < 0 && WasInterrupted());
            return (int)n;
        }
    }

    /// <summary>All of it; a pipe that is full is waited for.</summary>
    public static bool Write(int fd, byte[] from, int n)
    {
        const int EAGAIN = 11;
        int* full = stackalloc int[2] { fd, 4 /* POLLOUT */ };
        fixed (byte* p = from)
        {
            for (int at = 0; at < n;)
            {
                nint put = write(fd, p + at, n - at);
                if (put >= 0) at += (int)put;
                else if (Marshal.GetLastPInvokeError() == EAGAIN) poll(full, 1, -1);
                else if (!WasInterrupted()) return false;
            }
        }
        return true;
    }

    public static void Close(int fd) => close(fd);

    public static void Exit(int status) => _exit(status);

    /// <returns>the connection, -1 for an error</returns>
    public static int Connect(uint address, int port)
    {
        const int AF_INET = 2, SOCK_STREAM_CLOEXEC = 1 | 0x80000, IPPROTO_TCP = 6;
        int fd = socket(AF_INET, SOCK_STREAM_CLOEXEC, IPPROTO_TCP);
        byte* to = stackalloc byte[16];
        new Span<byte>(to, 16).Clear();
        to[0] = AF_INET;
        to[2] = (byte)(port >> 8);
        to[3] = (byte)port;
        for (int i = 0; i < 4; i++) to[4 + i] = (byte)(address >> (24 - 8 * i));
        if (fd < 0) return -1;
        int failed;
        do failed = connect(fd, to, 16);
        while (failed != 0 && WasInterrupted());
        if (failed == 0) return fd;
        close(fd);
        return -1;
    }

    static byte[] Text(string s) => Encoding.UTF8.GetBytes(s + "\0");

    public static bool ChangeFolder(string path)
    {
        fixed (byte* p = Text(path)) return chdir(p) == 0;
    }

    /// <summary>For native code of the function's, and for other programs that take this one's place.</summary>
    public static void ClearEnvironment() => clearenv();

    public static void SetVariable(string name, string value)
    {
        fixed (byte* n = Text(name), v = Text(value)) setenv(n, v, 1);
    }

    /// <summary>Becomes another program. Returns only if that failed.</summary>
    public static void Execute(string path, List<string> args)
    {
        var texts = new GCHandle[args.Count];
        byte** argv = stackalloc byte*[args.Count + 1];
        for (int i = 0; i < args.Count; i++)
        {
            texts[i] = GCHandle.Alloc(Text(args[i]), GCHandleType.Pinned);
            argv[i] = (byte*)texts[i].AddrOfPinnedObject();
        }
        argv[args.Count] = null;
        fixed (byte* p = Text(path)) execv(p, argv);
        foreach (GCHandle text in texts) text.Free();
    }
}
