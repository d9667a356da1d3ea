import CKernels
import Glibc
import Synchronization

/// Threads that share the parts of one operation at a time.
///
/// Each thread starts with a range of neighbouring parts that depends only on the count. So it works on the rows and weights
/// that it used before, which are in its caches and, on a large machine, in its memory. A thread that is done steals parts from
/// the others. So it is random which thread computes a part, and it must not matter: a part writes only its own outputs, and
/// its sums do not depend on how the work is divided.
public final class WorkerPool: Sendable {
  /// The number of threads, including the caller's.
  public let threadCount: Int
  private let shared: SharedWork
  private let threads: [pthread_t]

  /// Starts `threadCount - 1` threads; the thread that calls `run` is the last one.
  ///
  /// - Parameter threadCount: The number of threads, at least 1.
  public init(threadCount: Int) {
    let wanted = max(threadCount, 1)
    let shared = SharedWork(threads: wanted)
    var started: [pthread_t] = []
    for index in 1..<wanted {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(Worker(index: index, shared: shared))
      let status = pthread_create(&thread, nil, workerMain, argument.toOpaque())
      guard status == 0 else {
        // The system allows no more threads. Those that have started are enough for correct results.
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
  ///   - count: The number of parts.
  ///   - body: Computes one part; called once for each part, from several threads at the same time.
  public func run(_ count: Int, _ body: (Int) -> Void) {
    if threads.isEmpty || count <= 1 {
      for part in 0..<count { body(part) }
      return
    }
    precondition(count <= Share.limit, "an operation has at most \(Share.limit) parts")
    withoutActuallyEscaping(body) { shared.run(count, $0) }
  }
}

/// The state that the threads share: the current operation, the parts that are left, and how to wait.
///
/// `body` and `count` are written before the shares are filled (releasing), and read by a thread that has taken a part from a
/// share (acquiring). They are not written again until every part is done. A late thread finds empty shares and accesses
/// nothing else, so no other thread has to wait for it.
private final class SharedWork: @unchecked Sendable {
  private let shares: UnsafeMutableBufferPointer<Share>
  /// Counts operations.
  private let generation = Atomic<Int>(0)
  private let done = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let callerSleeps = Atomic<Bool>(false)
  private let stopped = Atomic<Bool>(false)
  private var body: ((Int) -> Void)?
  private var count = 0
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let began = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let ended = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  /// The number of iterations in the waiting loop before a thread sleeps.
  private let spins: Int

  /// About fifty microseconds: longer than most gaps between two layers, and shorter than it takes to sleep and wake up.
  private static let patience = 1500

  init(threads: Int) {
    // If threads take turns on the processors, a spinning thread delays one that has work.
    spins = threads <= ProcessorAllotment().threads ? Self.patience : 1
    shares = .allocate(capacity: threads)
    for index in 0..<threads { shares.initializeElement(at: index, to: Share()) }
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(began, nil)
    pthread_cond_init(ended, nil)
  }

  deinit {
    shares.deinitialize().deallocate()
    pthread_cond_destroy(began)
    pthread_cond_destroy(ended)
    pthread_mutex_destroy(mutex)
    began.deallocate()
    ended.deallocate()
    mutex.deallocate()
  }

  // MARK: The caller

  func run(_ count: Int, _ body: @escaping (Int) -> Void) {
    self.body = body
    self.count = count
    done.store(0, ordering: .relaxed)
    for index in shares.indices {
      shares[index].fill(count * index / shares.count..<count * (index + 1) / shares.count)
    }
    generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
    // A thread that goes to sleep from now on sees the new generation first.
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(began)
      pthread_mutex_unlock(mutex)
    }
    help(0)
    awaitEnd()
    self.body = nil
  }

  private func awaitEnd() {
    for _ in 0..<spins {
      if done.load(ordering: .acquiring) == count { return }
      ck_pause()
    }
    pthread_mutex_lock(mutex)
    callerSleeps.store(true, ordering: .sequentiallyConsistent)
    while done.load(ordering: .sequentiallyConsistent) < count { pthread_cond_wait(ended, mutex) }
    callerSleeps.store(false, ordering: .relaxed)
    pthread_mutex_unlock(mutex)
  }

  func stop() {
    stopped.store(true, ordering: .sequentiallyConsistent)
    pthread_mutex_lock(mutex)
    generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
    pthread_cond_broadcast(began)
    pthread_mutex_unlock(mutex)
  }

  // MARK: All threads

  /// Computes the thread's own share from its start, then steals from the ends of the others.
  private func help(_ index: Int) {
    while let part = shares[index].takeFirst() { compute(part) }
    for distance in 1..<shares.count {
      let other = (index + distance) % shares.count
      while let part = shares[other].takeLast() { compute(part) }
    }
  }

  private func compute(_ part: Int) {
    let count = count
    call(part)
    guard done.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue == count,
      callerSleeps.load(ordering: .sequentiallyConsistent)
    else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(ended)
    pthread_mutex_unlock(mutex)
  }

  /// Not inlined, so that no thread still retains `body` when the part counts as done.
  @inline(never) private func call(_ part: Int) { body?(part) }

  // MARK: The workers

  func work(_ index: Int) {
    var seen = 0
    while true {
      seen = awaitGeneration(after: seen)
      if stopped.load(ordering: .acquiring) { return }
      help(index)
    }
  }

  private func awaitGeneration(after seen: Int) -> Int {
    for _ in 0..<spins {
      let current = generation.load(ordering: .acquiring)
      if current != seen { return current }
      ck_pause()
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { sleepers.wrappingSubtract(1, ordering: .relaxed) }
    while generation.load(ordering: .sequentiallyConsistent) == seen { pthread_cond_wait(began, mutex) }
    return generation.load(ordering: .acquiring)
  }
}

/// The remaining parts of one thread's share, in one word. It has two cache lines for itself, because some processors fetch
/// lines in pairs.
private struct Share: ~Copyable {
  /// The first remaining part in the low half, the end of the range in the high half.
  private let word = Atomic<UInt64>(0)
  private let padding: (SIMD8<UInt64>, SIMD4<UInt64>, SIMD2<UInt64>, UInt64) = (.zero, .zero, .zero, 0)

  /// The largest number of parts that a word can count.
  static let limit = 1 << 31

  func fill(_ parts: Range<Int>) {
    word.store(UInt64(parts.upperBound) << 32 | UInt64(parts.lowerBound), ordering: .releasing)
  }

  func takeFirst() -> Int? { take { ($0 + 1, Int($0 & 0xFFFF_FFFF)) } }

  func takeLast() -> Int? { take { ($0 - 1 << 32, Int($0 >> 32) - 1) } }

  @inline(__always) private func take(_ change: (UInt64) -> (UInt64, Int)) -> Int? {
    var current = word.load(ordering: .acquiring)
    while current & 0xFFFF_FFFF < current >> 32 {
      let (next, part) = change(current)
      let (exchanged, original) = word.weakCompareExchange(
        expected: current, desired: next, ordering: .acquiringAndReleasing)
      if exchanged { return part }
      current = original
    }
    return nil
  }
}

/// The argument of a thread.
private final class Worker {
  let index: Int
  let shared: SharedWork

  init(index: Int, shared: SharedWork) {
    self.index = index
    self.shared = shared
  }
}

private func workerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  let worker = Unmanaged<Worker>.fromOpaque(argument).takeRetainedValue()
  worker.shared.work(worker.index)
  return nil
}
