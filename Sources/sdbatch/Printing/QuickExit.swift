import Glibc

/// The end of a process whose other threads may still be at work.
///
/// A connection that nobody waits for any more is served by threads of the system's libraries. What these libraries tidy up
/// at the end of a process would be taken from under them, and the process would end by a fault.
enum QuickExit {
  /// Has the process end, when it does, without what libraries have asked to be done then; output is still written out.
  static func arrange() { _ = registration }

  /// Handlers run in reverse order of registration.
  private static let registration = on_exit(
    { status, _ in
      fflush(nil)
      _exit(status)
    }, nil)
}
