// libyaml's own event loop over a document: the least that reading it as YAML can cost.
//
//   events FILE    prints seconds and events
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yaml.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  if (count != 2) errx(64, "usage: events FILE");
  double start = now();
  FILE *file = fopen(arguments[1], "rb");
  if (!file || fseek(file, 0, SEEK_END)) err(1, "%s", arguments[1]);
  long length = ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(length);
  if (!bytes || fread(bytes, 1, length, file) != (size_t)length) err(1, "%s", arguments[1]);
  fclose(file);

  yaml_parser_t parser;
  yaml_event_t event;
  unsigned long events = 0;
  if (!yaml_parser_initialize(&parser)) errx(1, "no memory");
  yaml_parser_set_input_string(&parser, bytes, length);
  for (int is_last = 0; !is_last; events++) {
    if (!yaml_parser_parse(&parser, &event)) errx(1, "%s: %s", arguments[1], parser.problem);
    is_last = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  printf("%.6f %lu\n", now() - start, events);
  return 0;
}
