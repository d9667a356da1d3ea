import Foundation

/// Threads of which nobody waits for the end. Unlike Foundation's, they report whether the system allowed them.
enum DetachedThread {
  private final class Body {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread.
  ///
  /// - Parameter body: What it does.
  /// - Returns: Whether there is one; the system may allow no more.
  static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
    let argument = Unmanaged.passRetained(Body(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    if status != 0 { argument.release() }
    return status == 0
  }

  /// Whether the system allows this many more threads at the moment. Dispatch and libcurl start theirs without asking, and
  /// Dispatch waits until it gets them, however long.
  static func areAllowed(_ count: Int) -> Bool {
    let isTried = DispatchSemaphore(value: 0)
    defer { for _ in 0..<count { isTried.signal() } }
    return (0..<count).allSatisfy { _ in start { isTried.wait() } }
  }
}
