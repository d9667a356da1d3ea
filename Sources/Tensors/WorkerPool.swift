import Glibc
import Synchronization

/// Threads of our own that share the parts of one piece of arithmetic at a time.
///
/// Which thread computes which part is left to chance, and so must never matter: a part writes only its own outputs,
/// and its sums do not depend on how the work was cut.
public final class WorkerPool: Sendable {
  /// Threads that work, the caller's among them.
  public let threadCount: Int
  private let shared: SharedWork
  private let threads: [pthread_t]

  /// Starts `threadCount - 1` threads; the thread that calls `run` is the last.
  ///
  /// - Parameter threadCount: At least 1.
  public init(threadCount: Int) {
    let shared = SharedWork()
    var started: [pthread_t] = []
    for _ in 1..<max(threadCount, 1) {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(shared)
      let status = pthread_create(&thread, nil, workerMain, argument.toOpaque())
      guard status == 0 else {
        // The machine grants no more threads: what has started is enough to be correct.
        argument.release()
        break
      }
      started.append(thread)
    }
    self.shared = shared
    threads = started
    self.threadCount = started.count + 1
  }

  deinit {
    shared.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Calls `body` with every part from 0 to `count - 1`, on all threads, and returns when all are done.
  ///
  /// - Parameters:
  ///   - count: How many parts there are.
  ///   - body: Computes one part; called from several threads at once, each part once.
  public func run(_ count: Int, _ body: (Int) -> Void) {
    if threads.isEmpty || count <= 1 {
      for part in 0..<count { body(part) }
      return
    }
    withoutActuallyEscaping(body) { body in
      shared.start(count: count, workers: threads.count, body: body)
      shared.help(body)
      shared.finish()
    }
  }
}

/// What the threads share: the current piece of work, and how they wait for the next.
///
/// `body` and `count` are written by the caller of `start` before `generation` rises (releasing), read by workers after they
/// see it (acquiring), and not touched again until every worker has left (`busy` is 0).
private final class SharedWork: @unchecked Sendable {
  private let generation = Atomic<Int>(0)
  private let next = Atomic<Int>(0)
  private let busy = Atomic<Int>(0)
  private let stopped = Atomic<Bool>(false)
  private var body: ((Int) -> Void)?
  private var count = 0
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Turns of the waiting loop before a thread sleeps: some tens of microseconds, about the gap between two layers.
  private static let spins = 4000

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  func start(count: Int, workers: Int, body: @escaping (Int) -> Void) {
    self.body = body
    self.count = count
    next.store(0, ordering: .relaxed)
    busy.store(workers, ordering: .relaxed)
    advance()
  }

  func stop() {
    stopped.store(true, ordering: .releasing)
    advance()
  }

  private func advance() {
    pthread_mutex_lock(mutex)
    generation.wrappingAdd(1, ordering: .releasing)
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }

  func help(_ body: (Int) -> Void) {
    while true {
      let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if part >= count { return }
      body(part)
    }
  }

  func finish() {
    var turns = 0
    while busy.load(ordering: .acquiring) > 0 {
      turns += 1
      if turns > Self.spins { sched_yield() }
    }
    body = nil
  }

  func work() {
    var seen = 0
    while true {
      seen = awaitGeneration(after: seen)
      if stopped.load(ordering: .acquiring) { return }
      if let body { help(body) }
      busy.wrappingSubtract(1, ordering: .releasing)
    }
  }

  private func awaitGeneration(after seen: Int) -> Int {
    for _ in 0..<Self.spins {
      let current = generation.load(ordering: .acquiring)
      if current != seen { return current }
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while generation.load(ordering: .acquiring) == seen { pthread_cond_wait(changed, mutex) }
    return generation.load(ordering: .acquiring)
  }
}

private func workerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let argument { Unmanaged<SharedWork>.fromOpaque(argument).takeRetainedValue().work() }
  return nil
}
