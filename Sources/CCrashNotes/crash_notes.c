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
static void note(int number) {
  // Threads that fault together: the first writes and ends the process, the others wait for that.
  if (atomic_flag_test_and_set(&entered))
    for (;;) pause();
  int descriptor = atomic_load(&file);
  if (descriptor >= 0) {
    const char *name = " SIG\n";
    for (int i = 0; i < COUNT; i++)
      if (fatal[i].number == number) name = fatal[i].name;
    // In one piece, so that processes that share the file do not mix their lines.
    char line[ID_SIZE + 16];
    size_t id_size = strlen(id), name_size = strlen(name);
    memcpy(line, id, id_size);
    memcpy(line + id_size, name, name_size);
    while (write(descriptor, line, id_size + name_size) < 0 && errno == EINTR) {}
  }
  // Whatever was there before, most often the end of the process, gets the signal when this function returns.
  for (int i = 0; i < COUNT; i++) sigaction(fatal[i].number, &previous[i], NULL);
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
  action.sa_handler = note;
  action.sa_flags = SA_ONSTACK;
  sigfillset(&action.sa_mask);
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
