/* Sockets: families and protocols, the host's own listeners, options that open kernel surface. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define HIGH (1L << 32)

static int make(const struct probe *p, const char *arg)
{
    return probe_errno(syscall(SYS_socket, p->a, p->b, p->c), "socket");
}

static int make_pair(const struct probe *p, const char *arg)
{
    int fds[2];
    return probe_errno(socketpair((int)p->a, (int)p->b, 0, fds), "socketpair");
}

/* arg: a port of the host's loopback */
static int host_port(const struct probe *p, const char *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(arg)),
                             .sin_addr.s_addr = inet_addr(p->text)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return probe_errno(connect(fd, (struct sockaddr *)&to, sizeof to), "connect");
}

/* arg: the name of a listener */
static int host_unix(const struct probe *p, const char *arg)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t skip = p->a ? 1 : 0; /* abstract names begin with a zero byte */
    snprintf(to.sun_path + skip, sizeof to.sun_path - skip, "%s", arg);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + skip + strlen(arg));
    return probe_errno(connect(fd, (struct sockaddr *)&to, len), "connect");
}

static int interfaces(const struct probe *p, const char *arg)
{
    struct if_nameindex *all = if_nameindex();
    for (struct if_nameindex *i = all; i && i->if_index; i++)
        if (strcmp(i->if_name, "lo") != 0)
            return probe_says(PROBE_OPEN, "there is %s", i->if_name);
    return probe_says(*arg ? PROBE_ABSENT : PROBE_CLOSED, "nothing but lo");
}

/* Changes something about lo: only whoever owns the network namespace may. */
static int interface_change(const struct probe *p, const char *arg)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_mtu = 1400};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return probe_errno(ioctl(fd, SIOCSIFMTU, &request), "SIOCSIFMTU");
}

static int route_change(const struct probe *p, const char *arg)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
    } request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .info = {
            .ifi_family = AF_UNSPEC, .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } answer = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || send(fd, &request, sizeof request, 0) < 0 ||
        recv(fd, &answer, sizeof answer, 0) < 0)
        return probe_errno(-1, "netlink");
    errno = -answer.error.error;
    return probe_errno(errno ? -1 : 0, "RTM_NEWLINK");
}

static int option(const struct probe *p, const char *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    const void *value = p->text ? (const void *)p->text : &one;
    socklen_t len = p->text ? (socklen_t)strlen(p->text) : sizeof one;
    long rc = syscall(SYS_setsockopt, fd, p->a, p->b, value, len);
    if (rc < 0 && p->text && (errno == ENOENT || errno == ENOTCONN))
        return probe_says(PROBE_OPEN, "the option reached the kernel: %s", strerror(errno));
    return probe_errno(rc, "setsockopt");
}

static int bind_api_port(const struct probe *p, const char *arg)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(9001)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    return probe_errno(bind(fd, (struct sockaddr *)&at, sizeof at), "bind 9001");
}

#define FAMILY(n, x, y, z)                                                                         \
    {                                                                                              \
        .name = "socket-" n, .run = make, .cap = -1, .a = x, .b = y, .c = z                        \
    }

const struct probe probes_sockets[] = {
    FAMILY("packet", AF_PACKET, SOCK_RAW, 0),
    FAMILY("packet-high", AF_PACKET | HIGH, SOCK_RAW, 0),
    FAMILY("raw", AF_INET, SOCK_RAW, IPPROTO_ICMP),
    FAMILY("raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6),
    FAMILY("raw-high-type", AF_INET, SOCK_RAW | HIGH, IPPROTO_ICMP),
    FAMILY("vsock", AF_VSOCK, SOCK_STREAM, 0),
    FAMILY("vsock-high", AF_VSOCK | HIGH, SOCK_STREAM, 0),
    FAMILY("alg", AF_ALG, SOCK_SEQPACKET, 0),
    FAMILY("alg-high", AF_ALG | HIGH, SOCK_SEQPACKET, 0),
    FAMILY("key", AF_KEY, SOCK_RAW, 2),
    FAMILY("xdp", AF_XDP, SOCK_RAW, 0),
    FAMILY("bluetooth", AF_BLUETOOTH, SOCK_RAW, 1),
    FAMILY("can", AF_CAN, SOCK_RAW, 1),
    FAMILY("tipc", AF_TIPC, SOCK_RDM, 0),
    FAMILY("rds", AF_RDS, SOCK_SEQPACKET, 0),
    FAMILY("mptcp", AF_INET, SOCK_STREAM, 262),
    FAMILY("sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP),
    FAMILY("udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE),
    FAMILY("netlink-audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT),
    FAMILY("netlink-uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT),
    FAMILY("netlink-netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER),
    FAMILY("netlink-xfrm", AF_NETLINK, SOCK_RAW, NETLINK_XFRM),
    FAMILY("netlink-generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC),
    FAMILY("netlink-diag", AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG),
    {.name = "socketpair-tipc", .run = make_pair, .cap = -1, .a = AF_TIPC, .b = SOCK_SEQPACKET},
    {.name = "host-port-daemon", .run = host_port, .cap = -1, .text = "127.0.0.1"},
    {.name = "host-port-listener", .run = host_port, .cap = -1, .text = "127.0.0.1"},
    {.name = "host-unix-abstract", .run = host_unix, .cap = -1, .a = 1},
    {.name = "host-unix-path", .run = host_unix, .cap = -1},
    {.name = "host-interfaces", .run = interfaces, .cap = -1},
    {.name = "interface-mtu", .run = interface_change, .control = IN_NET, .cap = -1},
    {.name = "interface-netlink", .run = route_change, .control = IN_NET, .cap = -1},
    {.name = "tcp-ulp", .run = option, .cap = -1, .a = IPPROTO_TCP, .b = TCP_ULP, .text = "tls"},
    {.name = "tcp-ulp-high",
     .run = option,
     .cap = -1,
     .a = IPPROTO_TCP,
     .b = TCP_ULP | HIGH,
     .text = "tls"},
    {.name = "tcp-ulp-high-level",
     .run = option,
     .cap = -1,
     .a = IPPROTO_TCP | HIGH,
     .b = TCP_ULP,
     .text = "tls"},
    {.name = "tcp-repair", .run = option, .cap = -1, .a = IPPROTO_TCP, .b = TCP_REPAIR},
    {.name = "tcp-repair-high", .run = option, .cap = -1, .a = IPPROTO_TCP, .b = TCP_REPAIR | HIGH},
    {.name = "so-debug", .run = option, .cap = CAP_NET_ADMIN, .a = SOL_SOCKET, .b = SO_DEBUG},
    {.name = "bind-9001", .run = bind_api_port, .control = IN_NET, .cap = -1},
    {0},
};
