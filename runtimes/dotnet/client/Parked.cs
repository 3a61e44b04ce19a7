using System;
using System.Collections;
using System.Text;

namespace Lambkin;

/// <summary>Booted ahead of its function, the process waits here for it; then the variables are its own, to the last one.</summary>
static class Parked
{
    public static void Wait()
    {
        string number = Environment.GetEnvironmentVariable("_LAMBKIN_PARKED_FD");
        if (number == null) return;
        int fd = int.Parse(number);
        WarmUp.Run();
        ForgetVariables();
        Libc.Write(fd, "p"u8.ToArray(), 1);
        var pairs = new byte[4096];
        int have = 0;
        for (int n; (n = Libc.Read(fd, pairs, have)) > 0;)
        {
            have += n;
            if (have == pairs.Length) Array.Resize(ref pairs, 2 * have);
        }
        Libc.Close(fd);
        if (have == 0) Libc.Exit(0); // nobody needs it any more
        foreach (string pair in Encoding.UTF8.GetString(pairs, 0, have).Split('\0')) Take(pair);
        Libc.ChangeFolder(Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT") ?? "/var/task");
    }

    /// <summary>.NET has a copy of the variables, and native code sees libc's.</summary>
    static void ForgetVariables()
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            Environment.SetEnvironmentVariable((string)variable.Key, null);
        Libc.ClearEnvironment();
    }

    static void Take(string pair)
    {
        int equals = pair.IndexOf('=');
        if (equals <= 0) return;
        string name = pair[..equals], value = pair[(equals + 1)..];
        Environment.SetEnvironmentVariable(name, value);
        Libc.SetVariable(name, value);
    }
}
