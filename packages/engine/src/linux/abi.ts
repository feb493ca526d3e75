/**
 * Numbers of the Linux ABI that this engine uses, as x86-64 and arm64 have them (both take the generic values of
 * `include/uapi/asm-generic`; only the layout of `epoll_event` differs). Knows no system call.
 */

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000

export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_ERROR = 4
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_KEEPALIVE = 9
export const SO_LINGER = 13
export const SO_REUSEPORT = 15
/** A classic BPF program chooses among the sockets of a port. */
export const SO_ATTACH_REUSEPORT_CBPF = 51
/** Of such a program: ends, and answers a number (`BPF_RET | BPF_K`). */
export const BPF_RETURN = 0x06
export const SO_BINDTODEVICE = 25
export const SO_MARK = 36

export const IPPROTO_IP = 0
export const IP_FREEBIND = 15
export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const TCP_KEEPIDLE = 4
export const TCP_CONGESTION = 13
export const IPPROTO_UDP = 17
export const UDP_SEGMENT = 103
export const UDP_GRO = 104
export const IPPROTO_IPV6 = 41
export const IPV6_V6ONLY = 26
export const IPV6_FREEBIND = 78

export const SHUT_WR = 1
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const SPLICE_F_MOVE = 1
export const SPLICE_F_NONBLOCK = 2
export const F_GETFL = 3
export const F_SETFL = 4
export const F_DUPFD_CLOEXEC = 1030
export const F_SETPIPE_SZ = 1031

export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLLIN = 0x1
export const EPOLLOUT = 0x4
export const EPOLLERR = 0x8
export const EPOLLHUP = 0x10
export const EPOLLRDHUP = 0x2000
/** One waiter of several is woken. */
export const EPOLLEXCLUSIVE = 0x1000_0000
/** Edge-triggered. */
export const EPOLLET = 0x8000_0000

export const EINTR = 4
export const EAGAIN = 11
export const ENOMEM = 12
export const ENFILE = 23
export const EMFILE = 24
export const EPIPE = 32
export const ECONNABORTED = 103
export const ECONNRESET = 104
export const ENOBUFS = 105
export const EINPROGRESS = 115

/** `struct epoll_event` is packed on x86-64 only: its size, and where its 64 bits of data begin. */
export const EPOLL_EVENT: { readonly octets: number; readonly data: number } =
  process.arch === 'x64' ? { octets: 12, data: 4 } : { octets: 16, data: 8 }
