/* resolve FUNCTION NAME...: asks the C library for each name, by getaddrinfo, gethostbyname, gethostbyname_r,
 * gethostbyname2 or gethostbyname2_r (the last two for IPv6), and prints what it says, a line each. A buffer that is too
 * small at first has the library asked again, as gethostbyname itself does it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

static void ask_r(const char *name, int family)
{
	static char room[16384];
	struct hostent host, *result = NULL;
	int error = 0, again;

	for (size_t size = 16; size <= sizeof(room); size *= 32) {
		again = family == AF_INET ? gethostbyname_r(name, &host, room, size, &result, &error)
					  : gethostbyname2_r(name, family, &host, room, size, &result, &error);
		if (again != ERANGE)
			break;
	}
	if (result)
		print_host(result);
	else
		printf("error %d\n", error);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		struct hostent *host;

		if (!strcmp(argv[1], "getaddrinfo")) {
			ask_getaddrinfo(argv[i]);
		} else if (strstr(argv[1], "_r")) {
			ask_r(argv[i], strstr(argv[1], "name2") ? AF_INET6 : AF_INET);
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
