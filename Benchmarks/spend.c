// Runs a command and writes to a file what it took: wall, user and system seconds, peak memory in KiB, status.
//
//   spend FILE COMMAND [ARGUMENT...]
//
// A child's peak begins at that of the process that it was forked from; so not from a Python of 30 MB, but from here.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

int main(int count, char **arguments) {
  struct timespec a, b;
  struct rusage used;
  int status;
  if (count < 3) errx(64, "usage: spend FILE COMMAND [ARGUMENT...]");
  clock_gettime(CLOCK_MONOTONIC, &a);
  pid_t child = fork();
  if (child < 0) err(1, "fork");
  if (child == 0) {
    execvp(arguments[2], arguments + 2);
    err(127, "%s", arguments[2]);
  }
  if (wait4(child, &status, 0, &used) < 0) err(1, "wait4");
  clock_gettime(CLOCK_MONOTONIC, &b);
  FILE *file = fopen(arguments[1], "w");
  if (!file) err(1, "%s", arguments[1]);
  fprintf(file, "%.6f %.6f %.6f %ld %d\n", b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9,
    seconds(used.ru_utime), seconds(used.ru_stime), used.ru_maxrss,
    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  if (fclose(file)) err(1, "%s", arguments[1]);
  return 0;
}
