// Messages built one behind the other, to be sent later in datagrams of so many.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

struct messages {
  char *bytes;
  size_t length, capacity;
  // Where each datagram begins; the last one ends at `length`.
  size_t *starts;
  size_t batches, batch_capacity;
  unsigned in_batch;
  uint32_t count;
};

// What a datagram holds: the number, and where the kernel is at its fastest.
enum { MESSAGES_PER_BATCH = 128, LARGEST_MESSAGE = 512 };

// The next message, with its family's header behind it. Valid until the next call.
struct nlmsghdr *next_message(struct messages *m, uint16_t type, uint16_t flags, const void *header, size_t size);
// To be called when its attributes are there.
void end_message(struct messages *m, struct nlmsghdr *message);
// What is sent next begins a datagram of its own.
void end_batch(struct messages *m);
// Asks for one acknowledgement, of the last message, and sends all: the kernel runs a datagram before send
// returns, so that answer says that all is done. Messages that fail answer by themselves, and end the program.
// Returns the seconds that it took.
double send_messages(struct mnl_socket *socket, struct messages *m);
