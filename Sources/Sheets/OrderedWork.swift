import Foundation

/// Values that several threads make in order, also while the caller does something else with those that it has.
///
/// The threads are the caller's own and one more for each further core, or fewer if the system allows no more. Dispatch would
/// wait for threads that never come.
package final class OrderedWork<Value: Sendable> {
  private let state: State
  private var threads: [pthread_t] = []

  /// Begins.
  ///
  /// - Parameters:
  ///   - count: How many values there are.
  ///   - ahead: How many may be made before somebody asks for them, which bounds the memory.
  ///   - make: Makes a value; called on several threads.
  package init(_ count: Int, ahead: Int, _ make: @escaping @Sendable (Int) -> Value) {
    state = State(count, ahead, make)
    for _ in 0..<max(0, min(count, ProcessInfo.processInfo.activeProcessorCount) - 1) {
      let argument = Unmanaged.passRetained(state as AnyObject)
      var thread = pthread_t()
      let status = pthread_create(
        &thread, nil,
        { argument in
          if let argument { (Unmanaged<AnyObject>.fromOpaque(argument).takeRetainedValue() as? any Helper)?.help() }
          return nil
        }, argument.toOpaque())
      guard status == 0 else {
        argument.release()
        break
      }
      threads.append(thread)
    }
  }

  deinit {
    state.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// The next values, which are forgotten here.
  ///
  /// - Parameter count: How many.
  /// - Returns: The values; fewer at the end.
  package func next(_ count: Int) -> [Value] { state.next(count) }

  /// All values, in order, once all are made.
  package static func all(_ count: Int, _ make: @escaping @Sendable (Int) -> Value) -> [Value] {
    OrderedWork(count, ahead: count, make).next(count)
  }

  /// What the threads share. The lock of the condition is held for every access.
  private final class State: Helper, @unchecked Sendable {
    private let condition = NSCondition()
    private let count: Int
    private let ahead: Int
    private let make: @Sendable (Int) -> Value
    private var begun = 0
    private var wanted: Int
    private var taken = 0
    /// The number of the first value that is not made yet.
    private var ready = 0
    private var values: [Int: Value] = [:]

    init(_ count: Int, _ ahead: Int, _ make: @escaping @Sendable (Int) -> Value) {
      (self.count, self.ahead, self.make) = (count, ahead, make)
      wanted = min(count, ahead)
    }

    /// Makes values until there are none to make, waiting while enough are ahead.
    func help() {
      condition.lock()
      defer { condition.unlock() }
      while begun < count {
        if begun < wanted { makeOne() } else { condition.wait() }
      }
    }

    func next(_ count: Int) -> [Value] {
      condition.lock()
      defer { condition.unlock() }
      let end = min(taken + count, self.count)
      wanted = max(wanted, min(end + ahead, self.count))
      condition.broadcast()
      // The caller's thread makes later values too instead of waiting: the others may have begun all that it asks for.
      while ready < end {
        if begun < wanted { makeOne() } else { condition.wait() }
      }
      defer { taken = end }
      return (taken..<end).compactMap { values.removeValue(forKey: $0) }
    }

    /// Makes the next value; the lock is held before and after, but not meanwhile.
    private func makeOne() {
      let index = begun
      begun += 1
      condition.unlock()
      let value = make(index)
      condition.lock()
      values[index] = value
      while values[ready] != nil { ready += 1 }
      condition.broadcast()
    }

    func stop() {
      condition.lock()
      begun = count
      condition.broadcast()
      condition.unlock()
    }
  }
}

/// A thread's part of the work, of any kind of values.
private protocol Helper: AnyObject {
  func help()
}
