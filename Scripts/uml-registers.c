// User Mode Linux before 6.13 keeps the floating point registers of its processes in a buffer of a fixed size, which is
// too small where the machine's processor has AMX: there, the machine's kernel takes them back only whole (EFAULT), and no
// process is ever started. Loaded before libc, this completes what is given by what the process has in the rest.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

// Not on the stack: that of a kernel is small. It has one thread.
static char whole[1 << 16];

long ptrace(enum __ptrace_request request, ...) {
  static long (*next)(enum __ptrace_request, pid_t, void *, void *);
  if (!next) next = dlsym(RTLD_NEXT, "ptrace");
  va_list arguments;
  va_start(arguments, request);
  pid_t process = va_arg(arguments, pid_t);
  void *address = va_arg(arguments, void *), *data = va_arg(arguments, void *);
  va_end(arguments);
  long result = next(request, process, address, data);
  if (result != -1 || errno != EFAULT || request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE) return result;
  struct iovec *given = data, all = {.iov_base = whole, .iov_len = sizeof whole};
  if (next(PTRACE_GETREGSET, process, address, &all) == -1 || all.iov_len < given->iov_len) {
    errno = EFAULT;
    return -1;
  }
  memcpy(whole, given->iov_base, given->iov_len);
  return next(request, process, address, &all);
}
