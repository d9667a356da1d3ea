#ifndef CCRASHNOTES_H
#define CCRASHNOTES_H

/// Notes SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT and SIGFPE from now on, before they end the process as they always do.
void crash_notes_install(void);

/// What is at work: a fatal signal now adds the line "<id> <signal>" to the open file. Nothing before `install`.
///
/// Only 64 characters of the id are kept. The file has to stay open until `crash_notes_disarm`.
void crash_notes_arm(int descriptor, const char *id);

/// Nothing is at work: a fatal signal is not noted.
void crash_notes_disarm(void);

#endif
