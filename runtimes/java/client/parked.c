/* What Java cannot do: take over the variables of a function and go to its folder. Loaded by a
 * client that was booted ahead (Parked.java), and by nobody else. */
#include <jni.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STRINGS_MAX = 1 << 20 };

JNIEXPORT jboolean JNICALL Java_lambkin_Parked_await(JNIEnv *env, jclass self, jint fd);

/* To the end; the strings are the environment's from then on. NULL: none came. */
static char *read_strings(int fd, size_t *out_n)
{
    char *strings = malloc(STRINGS_MAX + 1);
    size_t n = 0;
    ssize_t got = 1;
    while (strings && n < STRINGS_MAX && got > 0) {
        got = read(fd, strings + n, STRINGS_MAX - n);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            n += (size_t)got;
    }
    *out_n = n;
    if (strings)
        strings[n] = '\0';
    return n ? strings : NULL;
}

/* NAME=VALUE, a zero byte behind each (runtimes/README.md). False: nobody needs this process. */
JNIEXPORT jboolean JNICALL Java_lambkin_Parked_await(JNIEnv *env, jclass self, jint fd)
{
    size_t n;
    (void)env;
    (void)self;
    if (clearenv() || write(fd, "p", 1) != 1)
        return JNI_FALSE;
    char *strings = read_strings(fd, &n);
    close(fd);
    if (!strings)
        return JNI_FALSE;
    for (char *at = strings; at < strings + n; at += strlen(at) + 1) {
        if (*at && putenv(at))
            return JNI_FALSE;
    }
    const char *root = getenv("LAMBDA_TASK_ROOT");
    return root && chdir(root) == 0 ? JNI_TRUE : JNI_FALSE;
}
