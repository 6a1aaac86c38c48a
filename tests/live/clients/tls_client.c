/* tls_client PORT PATH [seccomp]: one GET over TLS by OpenSSL, to be linked statically. With `seccomp` under a filter
 * that kills for any system call but what this program makes. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void confine(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_exit_group), ALLOW(SYS_brk), ALLOW(SYS_mmap), ALLOW(SYS_munmap),
      ALLOW(SYS_futex), ALLOW(SYS_getrandom), ALLOW(SYS_newfstatat), ALLOW(SYS_fstat), ALLOW(SYS_getpid),
      ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_close), ALLOW(SYS_sendto), ALLOW(SYS_recvfrom), ALLOW(SYS_mprotect), ALLOW(SYS_ioctl),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) exit(3);
}

int main(int argc, char **argv) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  char text[4096];
  size_t n = 0;
  if (argc < 3 || fd < 0) return 1;
  to.sin_port = htons(atoi(argv[1]));
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) return 1;
  SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) != 1) return 2;
  if (argc > 3) confine();
  n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: static\r\nConnection: close\r\n\r\n", argv[2]);
  if (SSL_write(ssl, text, n) != (int)n) return 2;
  while (SSL_read_ex(ssl, text, sizeof text, &n) == 1) fwrite(text, 1, n, stdout);
  SSL_free(ssl);
  return 0;
}
