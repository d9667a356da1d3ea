import Glibc

/// The end of a process whose other threads may still be running.
///
/// Threads of the system's libraries serve connections that nobody waits for any more. At the end of a process, these libraries
/// release memory that the threads still use, and the process would crash.
enum QuickExit {
  /// Makes the process end without the libraries' exit handlers; output is still written.
  static func arrange() { _ = registration }

  /// Handlers run in reverse order of registration.
  private static let registration = on_exit(
    { status, _ in
      fflush(nil)
      _exit(status)
    }, nil)
}
