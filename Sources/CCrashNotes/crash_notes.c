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

// Uses only async-signal-safe functions and atomics.
static void note(int number, siginfo_t *info, void *context) {
  // If several threads crash at once, the first one writes and ends the process while the others wait.
  if (atomic_flag_test_and_set(&entered))
    for (;;) pause();
  int index = 0;
  while (index + 1 < COUNT && fatal[index].number != number) index++;
  int descriptor = atomic_load(&file);
  if (descriptor >= 0) {
    // In a single write, so that the lines of processes that share the file are not mixed.
    char line[ID_SIZE + 16];
    size_t id_size = strlen(id), name_size = strlen(fatal[index].name);
    memcpy(line, id, id_size);
    memcpy(line + id_size, fatal[index].name, name_size);
    while (write(descriptor, line, id_size + name_size) < 0 && errno == EINTR) {}
  }
  // From here on every fault ends the process, including one in the previous handler.
  for (int i = 0; i < COUNT; i++) signal(fatal[i].number, SIG_DFL);
  // The previous handler, such as the backtrace of the Swift runtime, may rely on the fault happening again after it returns.
  // A signal that was sent does not happen again, so raise it here.
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
  // After a stack overflow the normal stack has no room for the handler.
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
  // The parent process may have blocked these signals.
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
