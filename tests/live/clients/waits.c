// Waits in four ways and says how long each took, and for how much of it this thread wanted a CPU that others had, both in
// seconds: a sleep, a lock that another thread holds, a read from a pipe, a child.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// The second number of schedstat (Documentation/scheduler/sched-stats.rst), ns; 0 without it.
static double queued(void) {
  unsigned long long ran = 0, waited = 0;
  FILE* f = fopen("/proc/thread-self/schedstat", "r");
  if (f == 0) return 0;
  if (fscanf(f, "%llu %llu", &ran, &waited) != 2) waited = 0;
  fclose(f);
  return (double)waited / 1e9;
}

typedef struct {
  double took, queued;
} Wait;

static void pause_for(long ms) {
  struct timespec t = {0, ms * 1000000};
  nanosleep(&t, 0);
}

// The barrier keeps each a function of its own with a call in it, not a jump.
#define NOT_A_JUMP __asm__ volatile("")

__attribute__((noinline)) static void w_sleeps(void) {
  pause_for(50);
  NOT_A_JUMP;
}

__attribute__((noinline)) static void w_locks(void) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  NOT_A_JUMP;
}

__attribute__((noinline)) static void w_reads(void) {
  char c;
  if (read(ends[0], &c, 1) != 1) abort();
  NOT_A_JUMP;
}

__attribute__((noinline)) static void w_waits(pid_t child) {
  waitpid(child, 0, 0);
  NOT_A_JUMP;
}

static void* holder(void* a) {
  for (int i = 0; i < 10; i++) {
    pthread_mutex_lock(&mutex);
    pause_for(40);
    pthread_mutex_unlock(&mutex);
    pause_for(20);
  }
  return a;
}

static void* writer(void* a) {
  for (int i = 0; i < 10; i++) {
    pause_for(30);
    if (write(ends[1], "x", 1) != 1) abort();
  }
  return a;
}

#define MEASURED(wait, call)            \
  do {                                  \
    double before = queued();           \
    double start = now();               \
    call;                               \
    (wait).took += now() - start;       \
    (wait).queued += queued() - before; \
  } while (0)

static void say(const char* name, Wait wait) {
  printf("%s %.6f %.6f\n", name, wait.took, wait.queued);
}

int main(void) {
  Wait sleeps = {0}, locks = {0}, reads = {0}, waits = {0};
  pthread_t other;
  if (pipe(ends) != 0) return 1;
  for (int i = 0; i < 10; i++) MEASURED(sleeps, w_sleeps());
  pthread_create(&other, 0, holder, 0);
  for (int i = 0; i < 8; i++) {
    pause_for(25);
    MEASURED(locks, w_locks());
  }
  pthread_join(other, 0);
  pthread_create(&other, 0, writer, 0);
  for (int i = 0; i < 10; i++) MEASURED(reads, w_reads());
  pthread_join(other, 0);
  for (int i = 0; i < 5; i++) {
    pid_t child = fork();
    if (child == 0) {
      pause_for(60);
      _exit(0);
    }
    MEASURED(waits, w_waits(child));
  }
  say("w_sleeps", sleeps);
  say("w_locks", locks);
  say("w_reads", reads);
  say("w_waits", waits);
  return 0;
}
