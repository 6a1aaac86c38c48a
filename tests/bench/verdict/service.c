// service REQUESTS FACTOR: a service and its clients in one process, over loopback. So many requests are answered, each after a
// time drawn from a log-normal distribution (median 4 ms, times FACTOR), over 32 connections at once. What a run of one program
// is to the bench of verdicts: its latencies are a sample, with the machine's own noise on top.
#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 32 };

static double factor;
static atomic_long left;
static int listener;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double uniform(unsigned short state[3])
{
	return (nrand48(state) + 1.0) / 2147483649.0;
}

static void serve_time(unsigned short state[3])
{
	const double normal = sqrt(-2 * log(uniform(state))) * cos(2 * M_PI * uniform(state));
	const long ns = (long)(4e6 * factor * exp(0.4 * normal));
	const struct timespec time = {ns / 1000000000, ns % 1000000000};

	nanosleep(&time, NULL);
}

static void *serve(void *unused)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	const int on = 1, fd = accept(listener, NULL, NULL);
	unsigned short state[3];
	char request[1024];

	if (fd < 0 || getrandom(state, sizeof(state), 0) != sizeof(state))
		fail("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (read(fd, request, sizeof(request)) > 0) {
		serve_time(state);
		if (write(fd, reply, sizeof(reply) - 1) < 0)
			fail("write");
	}
	close(fd);
	return unused;
}

static void *ask(void *to)
{
	static const char request[] = "GET /work HTTP/1.1\r\nHost: service\r\n\r\n";
	const int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	char reply[1024];

	if (fd < 0 || connect(fd, to, sizeof(struct sockaddr_in)))
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (atomic_fetch_sub(&left, 1) > 0) {
		if (write(fd, request, sizeof(request) - 1) < 0 || read(fd, reply, sizeof(reply)) <= 0)
			fail("request");
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);
	pthread_t threads[2 * CONNECTIONS];

	if (argc != 3)
		return 2;
	left = atol(argv[1]);
	factor = atof(argv[2]);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, CONNECTIONS) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		fail("listen");
	for (int i = 0; i < CONNECTIONS; ++i) {
		if (pthread_create(&threads[2 * i], NULL, serve, NULL) ||
		    pthread_create(&threads[2 * i + 1], NULL, ask, &address))
			fail("pthread_create");
	}
	for (int i = 0; i < 2 * CONNECTIONS; ++i)
		pthread_join(threads[i], NULL);
	return 0;
}
