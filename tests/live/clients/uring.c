// TCP through io_uring alone, without a library: no system call of this program connects, accepts, sends or
// receives.
//
//   uring connect ADDRESS PORT [async|sqpoll]    {"pid", "error", "local_port", "threads"}
//   uring serve                                  {"port"}; one connection, one byte each way; {"pid",
//   "peer_port"}
//
// `async`: a worker carries the request out; `sqpoll`: a thread of the kernel takes it, and no system call is
// under way. Since Linux 5.12 both are threads of this process and counted in `threads`; before, they are
// kernel threads. Exit status 77: the machine forbids io_uring.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
  int fd;
  unsigned *sq_tail, *sq_mask, *sq_array, *sq_flags;
  unsigned *cq_head, *cq_tail, *cq_mask;
  struct io_uring_sqe* sqes;
  struct io_uring_cqe* cqes;
  int sqpoll;
};

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void* map(int fd, size_t size, off_t what) {
  void* at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
  if (at == MAP_FAILED) die("mmap");
  return at;
}

static struct ring open_ring(int sqpoll) {
  struct io_uring_params p = {.flags = sqpoll ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 1000};
  struct ring r = {.fd = (int)syscall(SYS_io_uring_setup, 4, &p), .sqpoll = sqpoll};
  if (r.fd < 0 && (errno == EPERM || errno == ENOSYS)) exit(77);
  if (r.fd < 0) die("io_uring_setup");
  char* sq = map(r.fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  char* cq = map(r.fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
  r.sqes = map(r.fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
  r.sq_tail = (unsigned*)(sq + p.sq_off.tail);
  r.sq_mask = (unsigned*)(sq + p.sq_off.ring_mask);
  r.sq_array = (unsigned*)(sq + p.sq_off.array);
  r.sq_flags = (unsigned*)(sq + p.sq_off.flags);
  r.cq_head = (unsigned*)(cq + p.cq_off.head);
  r.cq_tail = (unsigned*)(cq + p.cq_off.tail);
  r.cq_mask = (unsigned*)(cq + p.cq_off.ring_mask);
  r.cqes = (struct io_uring_cqe*)(cq + p.cq_off.cqes);
  return r;
}

// Does one request and returns its result.
static int perform(struct ring* r, struct io_uring_sqe request) {
  unsigned tail = *r->sq_tail, at = tail & *r->sq_mask;
  r->sqes[at] = request;
  r->sq_array[at] = at;
  __atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_SEQ_CST);
  int flags = IORING_ENTER_GETEVENTS;
  if (r->sqpoll && (__atomic_load_n(r->sq_flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
    flags |= IORING_ENTER_SQ_WAKEUP;
  while (syscall(SYS_io_uring_enter, r->fd, r->sqpoll ? 0 : 1, 1, flags, NULL, 0) < 0) {
    if (errno != EINTR) die("io_uring_enter");
  }
  unsigned head = *r->cq_head;
  while (__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) == head) {
  }
  int result = r->cqes[head & *r->cq_mask].res;
  __atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
  return result;
}

static int threads(void) {
  char line[256];
  int n = 0;
  FILE* f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "Threads: %d", &n);
  if (f) fclose(f);
  return n;
}

static int port_of(int fd, int (*name)(int, struct sockaddr*, socklen_t*)) {
  struct sockaddr_in a = {0};
  socklen_t size = sizeof a;
  return name(fd, (struct sockaddr*)&a, &size) ? -1 : ntohs(a.sin_port);
}

static void run_client(const char* address, int port, const char* how) {
  int sqpoll = !strcmp(how, "sqpoll"), async = !strcmp(how, "async");
  struct ring r = open_ring(sqpoll);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, address, &to.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  // Up to Linux 5.10 such a thread has no descriptors of the process but those registered.
  if (sqpoll && syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_FILES, &fd, 1) < 0)
    die("io_uring_register");
  int result = perform(&r, (struct io_uring_sqe){.opcode = IORING_OP_CONNECT,
                                                 .flags = sqpoll  ? IOSQE_FIXED_FILE
                                                          : async ? IOSQE_ASYNC
                                                                  : 0,
                                                 .fd = sqpoll ? 0 : fd,
                                                 .addr = (unsigned long)&to,
                                                 .off = sizeof to});
  printf("{\"pid\": %d, \"error\": %d, \"local_port\": %d, \"threads\": %d}\n", getpid(), -result,
         port_of(fd, getsockname), threads());
}

static void run_server(void) {
  struct ring r = open_ring(0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&a, sizeof a) || listen(listener, 1)) die("listen");
  printf("{\"port\": %d}\n", port_of(listener, getsockname));
  fflush(stdout);
  int fd = perform(&r, (struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = listener});
  if (fd < 0) errno = -fd, die("accept");
  char byte;
  struct io_uring_sqe receive = {.opcode = IORING_OP_RECV, .fd = fd, .addr = (unsigned long)&byte, .len = 1};
  struct io_uring_sqe send = receive;
  send.opcode = IORING_OP_SEND;
  if (perform(&r, receive) != 1 || perform(&r, send) != 1) die("a byte each way");
  printf("{\"pid\": %d, \"peer_port\": %d}\n", getpid(), port_of(fd, getpeername));
}

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (argc == 2 && !strcmp(argv[1], "serve")) return run_server(), 0;
  if (argc >= 4 && !strcmp(argv[1], "connect"))
    return run_client(argv[2], atoi(argv[3]), argc == 5 ? argv[4] : ""), 0;
  return 2;
}
