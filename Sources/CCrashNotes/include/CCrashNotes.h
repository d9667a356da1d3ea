#ifndef CCRASHNOTES_H
#define CCRASHNOTES_H

/// Installs handlers that record SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT and SIGFPE before these end the process.
void crash_notes_install(void);

/// Starts recording: from now on a fatal signal appends the line "<id> <signal>" to the open file. Does nothing before
/// `crash_notes_install`.
///
/// Only the first 64 characters of the id are used. The file must stay open until `crash_notes_disarm`.
void crash_notes_arm(int descriptor, const char *id);

/// Stops recording: a fatal signal is not recorded any more.
void crash_notes_disarm(void);

#endif
