// TCP by the system calls of 32-bit programs, whose numbers mean others in 64-bit ones. Needs no 32-bit C
// library:
//
//   cc -m32 -nostdlib -static -ffreestanding -fno-stack-protector -o compat compat.c
//   compat direct|socketcall connect ADDRESS PORT    {"pid", "error", "local_port"}
//   compat direct|socketcall serve                   {"port"}; one connection, one byte each way; {"pid",
//   "peer_port"}
//
// `socketcall`: through the one call that C libraries used before Linux 4.3.

enum { EXIT = 1, READ = 3, WRITE = 4, GETPID = 20, SOCKETCALL = 102, PRCTL = 172 };
enum { AF_INET = 2, SOCK_STREAM = 1, PR_SET_PDEATHSIG = 1, SIGKILL = 9 };

// A socket operation: its number for socketcall, and its own call.
struct operation {
  long sub, call;
};
static const struct operation SOCKET = {1, 359}, BIND = {2, 361}, CONNECT = {3, 362}, LISTEN = {4, 363},
                              GETSOCKNAME = {6, 367}, GETPEERNAME = {7, 368}, ACCEPT4 = {18, 364};

struct address {
  unsigned short family, port;
  unsigned char host[4], zero[8];
};

static int by_socketcall;

static long call(long number, long a, long b, long c, long d) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}

static long on_socket(struct operation o, long a, long b, long c) {
  long arguments[4] = {a, b, c, 0};
  return by_socketcall ? call(SOCKETCALL, o.sub, (long)arguments, 0, 0) : call(o.call, a, b, c, 0);
}

static int equal(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static const char* parse(const char* text, unsigned* number) {
  for (*number = 0; *text >= '0' && *text <= '9'; text++) *number = *number * 10 + (unsigned)(*text - '0');
  return text;
}

static void say(const char* text) {
  long size = 0;
  while (text[size]) size++;
  call(WRITE, 1, (long)text, size, 0);
}

static void say_number(const char* before, long number) {
  char digits[16], *at = digits + sizeof digits - 1;
  *at = 0;
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  say(before);
  say(at);
}

static long port_of(struct operation which, long fd) {
  struct address a = {0};
  long size = sizeof a;
  on_socket(which, fd, (long)&a, (long)&size);
  return (a.port & 0xff) << 8 | a.port >> 8;
}

static void run_client(const char* host, const char* port) {
  struct address to = {.family = AF_INET};
  unsigned number;
  for (int i = 0; i < 4; i++) {
    host = parse(host, &number) + 1;
    to.host[i] = (unsigned char)number;
  }
  parse(port, &number);
  to.port = (unsigned short)(number << 8 | number >> 8);
  long fd = on_socket(SOCKET, AF_INET, SOCK_STREAM, 0);
  long error = -on_socket(CONNECT, fd, (long)&to, sizeof to);
  say_number("{\"pid\": ", call(GETPID, 0, 0, 0, 0));
  say_number(", \"error\": ", error);
  say_number(", \"local_port\": ", port_of(GETSOCKNAME, fd));
  say("}\n");
}

static void run_server(void) {
  struct address a = {.family = AF_INET, .host = {127, 0, 0, 1}};
  long listener = on_socket(SOCKET, AF_INET, SOCK_STREAM, 0);
  char byte = 0;
  on_socket(BIND, listener, (long)&a, sizeof a);
  on_socket(LISTEN, listener, 1, 0);
  say_number("{\"port\": ", port_of(GETSOCKNAME, listener));
  say("}\n");
  long fd = on_socket(ACCEPT4, listener, 0, 0);
  call(READ, fd, (long)&byte, 1, 0);
  call(WRITE, fd, (long)&byte, 1, 0);
  say_number("{\"pid\": ", call(GETPID, 0, 0, 0, 0));
  say_number(", \"peer_port\": ", port_of(GETPEERNAME, fd));
  say("}\n");
}

__attribute__((used)) static void run(long* stack) {
  long argc = stack[0];
  char** argv = (char**)(stack + 1);
  call(PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
  by_socketcall = argc > 1 && equal(argv[1], "socketcall");
  if (argc == 5 && equal(argv[2], "connect")) run_client(argv[3], argv[4]);
  if (argc == 3 && equal(argv[2], "serve")) run_server();
  call(EXIT, argc < 3 ? 2 : 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %esp, %eax\n push %eax\n call run\n");
