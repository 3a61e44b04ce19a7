#include "launch/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    char space[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

static bool send_packet(int socket, const void *p, size_t n, const int *fds, size_t fd_count,
                        int flags)
{
    union control control;
    struct iovec iov = {(void *)(uintptr_t)p, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    must(fd_count <= PACKET_FDS_MAX);
    if (fd_count) {
        memset(&control, 0, sizeof control);
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    ssize_t sent = 0;
    do
        sent = sendmsg(socket, &msg, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)n;
}

bool packet_send(int socket, const void *p, size_t n, const int *fds, size_t fd_count)
{
    return send_packet(socket, p, n, fds, fd_count, 0);
}

bool packet_send_now(int socket, const void *p, size_t n, const int *fds, size_t fd_count)
{
    return send_packet(socket, p, n, fds, fd_count, MSG_DONTWAIT);
}

ssize_t packet_receive(int socket, void *p, size_t cap, int fds[PACKET_FDS_MAX], size_t *fd_count)
{
    union control control;
    struct iovec iov = {p, cap};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t n = 0;
    *fd_count = 0;
    do
        n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && *fd_count < PACKET_FDS_MAX; i++)
            memcpy(&fds[(*fd_count)++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        packet_close_fds(fds, *fd_count);
        *fd_count = 0;
        errno = EMSGSIZE;
        return -1;
    }
    return n;
}

void packet_close_fds(const int *fds, size_t fd_count)
{
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}
