import Foundation

/// Threads that nobody waits for. Unlike Foundation's, they report whether the system allowed them.
enum DetachedThread {
  private final class Body {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread.
  ///
  /// - Parameter body: What the thread does.
  /// - Returns: Whether it was started; the system may allow no more threads.
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

  /// Whether the system allows this many more threads at the moment. Dispatch and libcurl start theirs without checking, and
  /// Dispatch then waits for them without a time limit.
  static func areAllowed(_ count: Int) -> Bool {
    let isTried = DispatchSemaphore(value: 0)
    defer { for _ in 0..<count { isTried.signal() } }
    return (0..<count).allSatisfy { _ in start { isTried.wait() } }
  }
}
