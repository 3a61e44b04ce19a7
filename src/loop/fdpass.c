#include "loop/fdpass.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

enum fdpass fdpass_send(int socket, struct slice packet, const int *fds, size_t fd_count)
{
    union control control = {0};
    struct iovec iov = {(void *)(uintptr_t)packet.p, packet.n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    must(packet.n > 0 && fd_count <= FDPASS_MAX); /* an empty packet would look like the end */
    if (fd_count) {
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
    }
    ssize_t n = 0;
    do
        n = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return FDPASS_DONE;
    if (errno == EAGAIN || errno == ENOBUFS)
        return FDPASS_WAIT;
    return errno == EPIPE ? FDPASS_END : FDPASS_FAILED;
}

static size_t take_fds(struct msghdr *msg, int fds[FDPASS_MAX])
{
    size_t n = 0;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(msg); at; at = CMSG_NXTHDR(msg, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        must(n + count <= FDPASS_MAX); /* there was room for no more */
        memcpy(fds + n, CMSG_DATA(at), count * sizeof(int));
        n += count;
    }
    return n;
}

enum fdpass fdpass_receive(int socket, void *packet, size_t max, size_t *out_n,
                           int out_fds[FDPASS_MAX], size_t *out_fd_count)
{
    union control control;
    int fds[FDPASS_MAX];
    struct iovec iov = {packet, max};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
    ssize_t n = 0;
    do
        n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? FDPASS_WAIT : errno == ECONNRESET ? FDPASS_END : FDPASS_FAILED;
    size_t count = take_fds(&msg, fds);
    bool cut = msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    if (n == 0 || cut) {
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        return cut ? FDPASS_CUT : FDPASS_END;
    }
    *out_n = (size_t)n;
    *out_fd_count = count;
    memcpy(out_fds, fds, count * sizeof(int));
    return FDPASS_DONE;
}
