#define _GNU_SOURCE
#include "CCrashNotes.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static const struct {
  int number;
  const char *name;
} fatal[] = {{SIGSEGV, " SIGSEGV\n"}, {SIGBUS, " SIGBUS\n"},   {SIGILL, " SIGILL\n"},
             {SIGTRAP, " SIGTRAP\n"}, {SIGABRT, " SIGABRT\n"}, {SIGFPE, " SIGFPE\n"}};
enum { COUNT = sizeof fatal / sizeof fatal[0], ID_SIZE = 64 };

static struct sigaction previous[COUNT];
static atomic_int installed;
static atomic_int file = -1;
static atomic_flag entered = ATOMIC_FLAG_INIT;
static char id[ID_SIZE + 1];

// Only what POSIX calls async-signal-safe, and atomics.
static void note(int number, siginfo_t *info, void *context) {
  // Threads that fault together: the first writes and ends the process, the others wait for that.
  if (atomic_flag_test_and_set(&entered))
    for (;;) pause();
  int index = 0;
  while (index + 1 < COUNT && fatal[index].number != number) index++;
  int descriptor = atomic_load(&file);
  if (descriptor >= 0) {
    // In one piece, so that processes that share the file do not mix their lines.
    char line[ID_SIZE + 16];
    size_t id_size = strlen(id), name_size = strlen(fatal[index].name);
    memcpy(line, id, id_size);
    memcpy(line + id_size, fatal[index].name, name_size);
    while (write(descriptor, line, id_size + name_size) < 0 && errno == EINTR) {}
  }
  // From here on every fault ends the process, one in the handler that was there before as well.
  for (int i = 0; i < COUNT; i++) signal(fatal[i].number, SIG_DFL);
  // That one, such as the backtrace of the Swift runtime, may count on a fault that comes again when it returns; a signal
  // that was sent does not, so the process is ended here.
  const struct sigaction *before = &previous[index];
  if (before->sa_flags & SA_SIGINFO)
    before->sa_sigaction(number, info, context);
  else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
    before->sa_handler(number);
  signal(number, SIG_DFL);
  raise(number);
}

void crash_notes_install(void) {
  if (atomic_exchange(&installed, 1)) return;
  // A stack that overflowed has no room for the handler.
  static char stack[1 << 16];
  stack_t now;
  if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE)) {
    stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&own, NULL);
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = note;
  action.sa_flags = SA_ONSTACK | SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  // A parent may have left them blocked.
  sigset_t numbers;
  sigemptyset(&numbers);
  for (int i = 0; i < COUNT; i++) {
    sigaction(fatal[i].number, &action, &previous[i]);
    sigaddset(&numbers, fatal[i].number);
  }
  pthread_sigmask(SIG_UNBLOCK, &numbers, NULL);
}

void crash_notes_arm(int descriptor, const char *text) {
  if (!atomic_load(&installed)) return;
  size_t size = strnlen(text, ID_SIZE);
  memcpy(id, text, size);
  id[size] = 0;
  atomic_store(&file, descriptor);
}

void crash_notes_disarm(void) {
  if (atomic_load(&installed)) atomic_store(&file, -1);
}
