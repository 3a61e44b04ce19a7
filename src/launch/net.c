#include "launch/init.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static bool set_address(int fd, const char *name, const char *address, const char *mask)
{
    struct ifreq request = {0};
    struct sockaddr_in at = {.sin_family = AF_INET};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    inet_pton(AF_INET, address, &at.sin_addr);
    memcpy(&request.ifr_addr, &at, sizeof at);
    if (ioctl(fd, SIOCSIFADDR, &request))
        return false;
    inet_pton(AF_INET, mask, &at.sin_addr);
    memcpy(&request.ifr_netmask, &at, sizeof at);
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0;
}

static bool bring_up(int fd)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
    if (ioctl(fd, SIOCGIFFLAGS, &request))
        return false;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0; /* the kernel adds 127.0.0.1 and ::1 itself */
}

/* All addresses of lo and nothing else. Nobody inside can bind a port that somebody listens on;
 * SO_REUSEADDR is for the daemon, which listens again while old connections are still closing. */
static bool listen_on(int fd, uint16_t port)
{
    int on = 1;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(fd, (const struct sockaddr *)&any, sizeof any) == 0 && listen(fd, 64) == 0;
}

bool net_prepare(int listeners[INIT_LISTENERS], struct err *err)
{
    static const uint16_t ports[INIT_LISTENERS] = {LAUNCH_RUNTIME_PORT, LAUNCH_ENDPOINT_PORT};
    for (size_t i = 0; i < INIT_LISTENERS; i++) {
        listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        /* Current runtimes see 169.254.100.1, provided.al2 and older ones 127.0.0.1 (dataplane.md
         * 1.1). */
        bool up =
            listeners[i] >= 0 &&
            (i > 0 || (bring_up(listeners[i]) &&
                       set_address(listeners[i], "lo:1", "169.254.100.1", "255.255.255.255")));
        if (!up)
            return err_os(err, errno, "set up the loopback interface");
        if (!listen_on(listeners[i], ports[i]))
            return err_os(err, errno, "listen on port %d", ports[i]);
    }
    return true;
}

int net_connect(uint16_t port, int *os)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, (const struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
        *os = errno;
        return -1;
    }
    return fd_take(&fd);
}
