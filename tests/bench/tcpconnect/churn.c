/* Connections over loopback as fast as one thread makes them: connect, accept, a request, an answer, close on both
 * sides. Prints the wall time and the process's own CPU time of one connection in nanoseconds.
 *
 *   churn CONNECTIONS
 *
 * Destinations walk through 127.0.0.0/16, so that sockets in TIME_WAIT never use up the ephemeral ports. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	long connections = argc > 1 ? atol(argv[1]) : 20000;
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	socklen_t length = sizeof(any);
	char request[100] = {0}, answer[1000] = {0}, buffer[4096];
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	check(listener, "socket");
	check(bind(listener, (struct sockaddr *)&any, sizeof(any)), "bind");
	check(listen(listener, 16), "listen");
	check(getsockname(listener, (struct sockaddr *)&any, &length), "getsockname");

	long long wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (long i = 0; i < connections; i++) {
		struct sockaddr_in to = any;
		int client, server;

		to.sin_addr.s_addr = htonl(0x7f000001U + (unsigned)(i % 200) * 256);
		client = socket(AF_INET, SOCK_STREAM, 0);
		check(client, "socket");
		check(connect(client, (struct sockaddr *)&to, sizeof(to)), "connect");
		server = accept(listener, NULL, NULL);
		check(server, "accept");
		check(send(client, request, sizeof(request), 0), "send");
		check(recv(server, buffer, sizeof(buffer), 0), "recv");
		check(send(server, answer, sizeof(answer), 0), "send");
		check(recv(client, buffer, sizeof(buffer), 0), "recv");
		close(client);
		close(server);
	}
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%lld %lld\n", wall / connections, cpu / connections);
	return 0;
}
