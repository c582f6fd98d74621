// libmnl and the netlink headers of the kernel.
#ifndef WEFT_CMNL_SHIM_H
#define WEFT_CMNL_SHIM_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <errno.h>

// sched.h shows these only to programs that define _GNU_SOURCE, which a module cannot.
extern int setns(int descriptor, int type);
extern int unshare(int flags);
enum { WEFT_CLONE_NEWNET = 0x40000000 };

#endif
