/* flood udp|tcp COUNT: sends so many packets of 64 bytes to itself over loopback, by UDP to a port that nobody watches or
 * over a TCP connection with one segment a message, and prints the nanoseconds of processor time of one, sending and
 * receiving together; what else the machine does at the time does not count. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int tcp = argc > 1 && !strcmp(argv[1], "tcp"), one = 1;
	long count = argc > 2 ? atol(argv[2]) : 1000000;
	int listener = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0), from, to = listener;
	struct timespec begin, end;
	char message[64] = {0};

	must(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
	must(!tcp || listen(listener, 1) == 0, "listen");
	must(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
	from = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	must(connect(from, (struct sockaddr *)&address, size) == 0, "connect");
	if (tcp) {
		to = accept(listener, NULL, NULL);
		setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (long i = 0; i < count; i++) {
		must(send(from, message, sizeof(message), 0) == sizeof(message), "send");
		must(recv(to, message, sizeof(message), tcp ? MSG_WAITALL : 0) == sizeof(message), "recv");
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	printf("%.1f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / (double)count);
	return 0;
}
