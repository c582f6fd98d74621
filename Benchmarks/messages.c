#include "messages.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void end_batch(struct messages *m) { m->in_batch = 0; }

struct nlmsghdr *next_message(struct messages *m, uint16_t type, uint16_t flags, const void *header, size_t size) {
  if (m->length + LARGEST_MESSAGE > m->capacity) {
    m->capacity = m->capacity ? m->capacity * 2 : 1 << 20;
    m->bytes = realloc(m->bytes, m->capacity);
  }
  if (m->in_batch == MESSAGES_PER_BATCH) end_batch(m);
  if (m->in_batch++ == 0) {
    if (m->batches == m->batch_capacity) {
      m->batch_capacity = m->batch_capacity ? m->batch_capacity * 2 : 1024;
      m->starts = realloc(m->starts, m->batch_capacity * sizeof *m->starts);
    }
    if (m->starts) m->starts[m->batches++] = m->length;
  }
  if (!m->bytes || !m->starts) errx(1, "no memory");
  struct nlmsghdr *message = mnl_nlmsg_put_header(m->bytes + m->length);
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | flags;
  message->nlmsg_seq = ++m->count;
  memcpy(mnl_nlmsg_put_extra_header(message, size), header, size);
  return message;
}

void end_message(struct messages *m, struct nlmsghdr *message) { m->length += MNL_ALIGN(message->nlmsg_len); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// Whether the last message's answer is there; a refusal ends the program.
static int is_last_answer(const char *bytes, int length, uint32_t last) {
  for (const struct nlmsghdr *h = (const void *)bytes; mnl_nlmsg_ok(h, length); h = mnl_nlmsg_next(h, &length)) {
    if (h->nlmsg_type != NLMSG_ERROR) continue;
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(h);
    if (answer->error) errx(1, "message %u of %u: %s", h->nlmsg_seq, last, strerror(-answer->error));
    if (h->nlmsg_seq == last) return 1;
  }
  return 0;
}

double send_messages(struct mnl_socket *socket, struct messages *m) {
  if (m->count == 0) return 0;
  struct nlmsghdr *last = (void *)(m->bytes + m->starts[m->batches - 1]);
  while ((char *)last + MNL_ALIGN(last->nlmsg_len) < m->bytes + m->length)
    last = (void *)((char *)last + MNL_ALIGN(last->nlmsg_len));
  last->nlmsg_flags |= NLM_F_ACK;
  double start = now();
  for (size_t i = 0; i < m->batches; i++) {
    size_t end = i + 1 < m->batches ? m->starts[i + 1] : m->length;
    if (mnl_socket_sendto(socket, m->bytes + m->starts[i], end - m->starts[i]) < 0) err(1, "send");
  }
  char buffer[32768];
  for (;;) {
    ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
    if (length < 0) err(1, "receive");
    if (is_last_answer(buffer, length, m->count)) return now() - start;
  }
}
