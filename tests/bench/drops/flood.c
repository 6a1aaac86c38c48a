/* Sends UDP datagrams to a port of this host where nobody listens: each is one drop. flood COUNT [PER_SECOND]
 * Prints the nanoseconds that a datagram took. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	long count = argc > 1 ? atol(argv[1]) : 100000, rate = argc > 2 ? atol(argv[2]) : 0, sent = 0;
	struct iovec data = {"x", 1};
	struct mmsghdr batch[BATCH];
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	double start = now();

	memset(batch, 0, sizeof(batch));
	for (int i = 0; i < BATCH; i++)
		batch[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1};
	while (sent < count) {
		int n = sendmmsg(s, batch, count - sent < BATCH ? count - sent : BATCH, 0);

		if (n > 0)
			sent += n;
		while (rate && now() - start < sent * 1e9 / rate)
			;
	}
	printf("%.1f\n", (now() - start) / count);
	return 0;
}
