// The floor: what the kernel needs for a workload's messages, and nothing else. All messages are built before
// the clock starts; then they are sent in datagrams of 128, and only the last one is answered.
//
//   floor NETNS bulk ENTRIES VTEPS DEVICES    entries: FDB and neighbours each, in all
//   floor NETNS delta MOVED VTEPS             the first so many of bulk's FDB entries go to the next VTEP
//   floor NETNS tenants NETWORKS              a VXLAN device in a bridge of its own, with ten flood entries
//   floor NETNS vnis COUNT                    on one device, as a range
//   floor NETNS dump                          reads links, FDB and neighbours, and looks at none of it
//
// Prints seconds and messages. The objects are those that weft makes of workloads.py's documents: `weft diff`
// finds nothing to do behind it, which is checked in every run.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "messages.h"

enum { FIRST_INDEX = 100, FLOOD_OF_TENANT = 10, WEFT_GROUP = 0x77656674, WEFT_PROTOCOL = 119, VXLAN_PORT = 4789 };

static struct messages messages;

// MARK: the data, the same as in workloads.py

static void mac_of(uint64_t number, uint8_t mac[6]) {
  number |= 0x020000000000;
  for (int i = 0; i < 6; i++) mac[i] = number >> (40 - 8 * i);
}

static uint32_t vtep_of(uint32_t number) { return htonl(10u << 24 | 1 << 16 | number / 250 << 8 | (number % 250 + 1)); }
static uint32_t local(void) { return htonl(10u << 24 | 1); }
static uint32_t neighbour_of(uint32_t number) { return htonl((172u << 24 | 16 << 16) + number); }
static uint32_t bridge_index(uint32_t number) { return FIRST_INDEX + 2 * number; }
static uint32_t vxlan_index(uint32_t number) { return FIRST_INDEX + 2 * number + 1; }

// MARK: links

static struct nlmsghdr *link_message(uint32_t index, uint16_t flags, unsigned change) {
  struct ifinfomsg header = {.ifi_index = index, .ifi_flags = change, .ifi_change = change};
  return next_message(&messages, RTM_NEWLINK, flags, &header, sizeof header);
}

static struct nlmsghdr *new_link(uint32_t index, const char *name) {
  struct nlmsghdr *message = link_message(index, NLM_F_CREATE | NLM_F_EXCL, 0);
  mnl_attr_put_strz(message, IFLA_IFNAME, name);
  mnl_attr_put_u32(message, IFLA_GROUP, WEFT_GROUP);
  return message;
}

static void new_bridge(uint32_t number, const char *name) {
  uint8_t mac[6];
  mac_of(0xfe0000000000 | number, mac);
  struct nlmsghdr *message = new_link(bridge_index(number), name);
  mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
  struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
  mnl_attr_nest_end(message, info);
  end_message(&messages, message);
}

// With a VNI in its bridge; with 0, a device for many.
static void new_vxlan(uint32_t number, const char *name, uint32_t vni) {
  struct nlmsghdr *message = new_link(vxlan_index(number), name);
  if (vni) mnl_attr_put_u32(message, IFLA_MASTER, bridge_index(number));
  struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "vxlan");
  struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  if (vni) mnl_attr_put_u32(message, IFLA_VXLAN_ID, vni);
  mnl_attr_put_u32(message, IFLA_VXLAN_LOCAL, local());
  mnl_attr_put_u16(message, IFLA_VXLAN_PORT, htons(VXLAN_PORT));
  mnl_attr_put_u8(message, IFLA_VXLAN_LEARNING, 0);
  if (!vni) {
    mnl_attr_put_u8(message, IFLA_VXLAN_COLLECT_METADATA, 1);
    mnl_attr_put_u8(message, IFLA_VXLAN_VNIFILTER, 1);
  }
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  end_message(&messages, message);
}

static void set_up(uint32_t index) { end_message(&messages, link_message(index, 0, IFF_UP)); }

// IPv6 gives the link no address, which is what takes longest in bringing up thousands of them.
static void set_no_autoconfiguration(uint32_t index) {
  struct nlmsghdr *message = link_message(index, 0, 0);
  struct nlattr *families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
  struct nlattr *inet6 = mnl_attr_nest_start(message, AF_INET6);
  mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(message, inet6);
  mnl_attr_nest_end(message, families);
  end_message(&messages, message);
}

static void set_port(uint32_t index) {
  struct nlmsghdr *message = link_message(index, 0, 0);
  struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
  struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
  mnl_attr_put_u8(message, IFLA_BRPORT_LEARNING, 0);
  mnl_attr_put_u8(message, IFLA_BRPORT_NEIGH_SUPPRESS, 1);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  end_message(&messages, message);
}

// MARK: entries

static void new_fdb(uint32_t index, const uint8_t mac[6], uint32_t vtep, uint16_t flag) {
  struct ndmsg header = {
    .ndm_family = AF_BRIDGE, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT, .ndm_flags = NTF_SELF};
  struct nlmsghdr *message = next_message(&messages, RTM_NEWNEIGH, NLM_F_CREATE | flag, &header, sizeof header);
  mnl_attr_put(message, NDA_LLADDR, 6, mac);
  mnl_attr_put_u32(message, NDA_DST, vtep);
  end_message(&messages, message);
}

static void new_flood(uint32_t index, uint32_t vteps) {
  static const uint8_t zero[6];
  for (uint32_t i = 0; i < vteps; i++) new_fdb(index, zero, vtep_of(i), NLM_F_APPEND);
}

static void new_neighbour(uint32_t index, uint32_t number) {
  uint8_t mac[6];
  mac_of(number, mac);
  struct ndmsg header = {.ndm_family = AF_INET, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
  struct nlmsghdr *message =
    next_message(&messages, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
  mnl_attr_put_u32(message, NDA_DST, neighbour_of(number));
  mnl_attr_put(message, NDA_LLADDR, 6, mac);
  mnl_attr_put_u8(message, NDA_PROTOCOL, WEFT_PROTOCOL);
  end_message(&messages, message);
}

// MARK: workloads

// What the kernel wants of links is done for all of them before the next thing is begun.
static void links(uint32_t count, uint32_t first_vni, int autoconfigured) {
  char name[IFNAMSIZ];
  for (uint32_t i = 0; i < count; i++) {
    snprintf(name, sizeof name, "br%u", i);
    new_bridge(i, name);
  }
  for (uint32_t i = 0; i < count; i++) {
    snprintf(name, sizeof name, "vx%u", i);
    new_vxlan(i, name, first_vni + i);
  }
  for (uint32_t i = 0; i < count && !autoconfigured; i++) {
    set_no_autoconfiguration(bridge_index(i));
    set_no_autoconfiguration(vxlan_index(i));
  }
  for (uint32_t i = 0; i < count; i++) set_port(vxlan_index(i));
  for (uint32_t i = 0; i < count; i++) set_up(vxlan_index(i));
  for (uint32_t i = 0; i < count; i++) set_up(bridge_index(i));
}

static void bulk(uint32_t entries, uint32_t vteps, uint32_t devices) {
  uint8_t mac[6];
  links(devices, 100, 1);
  for (uint32_t i = 0; i < devices; i++) new_flood(vxlan_index(i), vteps);
  for (uint32_t i = 0; i < entries; i++) {
    mac_of(i, mac);
    new_fdb(vxlan_index((uint64_t)i * devices / entries), mac, vtep_of(i % vteps), NLM_F_REPLACE);
  }
  for (uint32_t i = 0; i < entries; i++) new_neighbour(bridge_index((uint64_t)i * devices / entries), i);
}

// Whoever made the device, it has some number.
static void delta(uint32_t moved, uint32_t vteps) {
  uint8_t mac[6];
  uint32_t index = if_nametoindex("vx0");
  if (!index) err(1, "vx0");
  for (uint32_t i = 0; i < moved; i++) {
    mac_of(i, mac);
    new_fdb(index, mac, vtep_of((i + 1) % vteps), NLM_F_REPLACE);
  }
}

static void tenants(uint32_t networks) {
  links(networks, 1000, 0);
  for (uint32_t i = 0; i < networks; i++) new_flood(vxlan_index(i), FLOOD_OF_TENANT);
}

static void vnis(uint32_t count) {
  enum { NEWTUNNEL = 120, ENTRY = 1, START = 1, END = 2 };
  struct {
    uint8_t family, flags;
    uint16_t reserved;
    uint32_t index;
  } header = {.family = AF_BRIDGE, .index = vxlan_index(0)};
  new_vxlan(0, "vx0", 0);
  struct nlmsghdr *message = next_message(&messages, NEWTUNNEL, 0, &header, sizeof header);
  struct nlattr *entry = mnl_attr_nest_start(message, ENTRY);
  mnl_attr_put_u32(message, START, 10000);
  mnl_attr_put_u32(message, END, 10000 + count - 1);
  mnl_attr_nest_end(message, entry);
  end_message(&messages, message);
  set_up(vxlan_index(0));
}

static unsigned long dump(struct mnl_socket *socket, uint16_t type, const void *header, size_t size) {
  char request[256], buffer[65536];
  struct nlmsghdr *message = mnl_nlmsg_put_header(request);
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  memcpy(mnl_nlmsg_put_extra_header(message, size), header, size);
  if (mnl_socket_sendto(socket, request, message->nlmsg_len) < 0) err(1, "send");
  for (unsigned long count = 0;; ) {
    int length = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
    if (length < 0) err(1, "receive");
    for (struct nlmsghdr *h = (void *)buffer; mnl_nlmsg_ok(h, length); h = mnl_nlmsg_next(h, &length)) {
      if (h->nlmsg_type == NLMSG_DONE) return count;
      if (h->nlmsg_type == NLMSG_ERROR) errx(1, "the dump was refused");
      count++;
    }
  }
}

static unsigned long dump_all(struct mnl_socket *socket) {
  struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
  struct ndmsg fdb = {.ndm_family = AF_BRIDGE}, neighbour = {.ndm_family = AF_UNSPEC};
  return dump(socket, RTM_GETLINK, &link, sizeof link) + dump(socket, RTM_GETNEIGH, &fdb, sizeof fdb)
    + dump(socket, RTM_GETNEIGH, &neighbour, sizeof neighbour);
}

// MARK: the program

static void enter(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || setns(file, CLONE_NEWNET) < 0) err(1, "%s", path);
  close(file);
}

static struct mnl_socket *open_socket(void) {
  struct mnl_socket *socket = mnl_socket_open(0);
  int bytes = 8 << 20, on = 1;
  if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) err(1, "netlink socket");
  setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof on);
  mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  return socket;
}

int main(int count, char **arguments) {
  uint32_t number[3] = {0};
  if (count < 3) errx(64, "usage: floor NETNS bulk|delta|tenants|vnis|dump [NUMBER...]");
  for (int i = 3; i < count && i < 6; i++) number[i - 3] = strtoul(arguments[i], NULL, 10);
  const char *workload = arguments[2];
  enter(arguments[1]);
  struct mnl_socket *socket = open_socket();
  if (!strcmp(workload, "dump")) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    unsigned long objects = dump_all(socket);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.6f %lu\n", b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9, objects);
    return 0;
  }
  if (!strcmp(workload, "bulk"))
    bulk(number[0], number[1], number[2]);
  else if (!strcmp(workload, "delta"))
    delta(number[0], number[1]);
  else if (!strcmp(workload, "tenants"))
    tenants(number[0]);
  else if (!strcmp(workload, "vnis"))
    vnis(number[0]);
  else
    errx(64, "unknown workload: %s", workload);
  double seconds = send_messages(socket, &messages);
  printf("%.6f %u\n", seconds, messages.count);
  return 0;
}
