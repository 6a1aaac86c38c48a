/* resolve FUNCTION NAME...: asks the C library for each name, by getaddrinfo, gethostbyname, gethostbyname_r,
 * gethostbyname2 or gethostbyname2_r (the last two for IPv6), and prints what it says, a line each. A buffer that is too
 * small at first has the library asked again, as gethostbyname itself does it, but from further down on the stack each
 * time. gethostbyname_r_once gives up then.
 *
 * resolve jumps NAME NAME: waits for the first name for 0.3 s, leaves the call by a jump, as programs with a limit on it do,
 * and asks for the second one from further down on the stack. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void print_host(const struct hostent *host)
{
	char text[INET6_ADDRSTRLEN];

	for (char **a = host->h_addr_list; *a; a++)
		printf("%s ", inet_ntop(host->h_addrtype, *a, text, sizeof(text)));
	printf("\n");
}

static void ask_getaddrinfo(const char *name)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int error = getaddrinfo(name, NULL, &hints, &list);
	char text[INET6_ADDRSTRLEN];

	if (error) {
		printf("error %d\n", error);
		return;
	}
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
		printf("%s ", text);
	}
	printf("\n");
	freeaddrinfo(list);
}

static __attribute__((noinline)) struct hostent *ask_deeper(const char *name, int family, size_t size, int *error,
							    int last)
{
	static char room[16384];
	static struct hostent host;
	struct hostent *result = NULL;
	volatile char frame[1024];
	int again = family == AF_INET ? gethostbyname_r(name, &host, room, size, &result, error)
				      : gethostbyname2_r(name, family, &host, room, size, &result, error);

	frame[0] = 0;
	if (again == ERANGE && !last && size * 32 <= sizeof(room))
		result = ask_deeper(name, family, size * 32, error, last);
	return frame[0] ? NULL : result;
}

static void ask_r(const char *name, int family, int once)
{
	int error = 0;
	struct hostent *result = ask_deeper(name, family, 16, &error, once);

	if (result)
		print_host(result);
	else
		printf("error %d\n", error);
}

static sigjmp_buf out;

static void jump(int signal)
{
	siglongjmp(out, signal);
}

static __attribute__((noinline)) void deeper(const char *name, int depth)
{
	volatile char frame[4096];

	memset((void *)frame, 1, sizeof(frame));
	if (depth && frame[depth])
		deeper(name, depth - 1);
	else
		ask_getaddrinfo(name);
	frame[0] = 0;
}

static void jumps(const char *first, const char *second)
{
	signal(SIGALRM, jump);
	if (!sigsetjmp(out, 1)) {
		ualarm(300000, 0);
		ask_getaddrinfo(first);
	}
	deeper(second, 4);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "jumps")) {
		jumps(argv[2], argv[3]);
		return 0;
	}
	for (int i = 2; i < argc; i++) {
		struct hostent *host;

		if (!strcmp(argv[1], "getaddrinfo")) {
			ask_getaddrinfo(argv[i]);
		} else if (strstr(argv[1], "_r")) {
			ask_r(argv[i], strstr(argv[1], "name2") ? AF_INET6 : AF_INET, !!strstr(argv[1], "once"));
		} else {
			host = strstr(argv[1], "name2") ? gethostbyname2(argv[i], AF_INET6) : gethostbyname(argv[i]);
			if (host)
				print_host(host);
			else
				printf("error %d\n", h_errno);
		}
	}
	return 0;
}
