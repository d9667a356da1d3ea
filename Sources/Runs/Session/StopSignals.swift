import Foundation
import Synchronization
import Text

/// The first of SIGINT, SIGTERM, SIGHUP and SIGUSR1 asks the run to stop after the current step; a second one ends the process
/// at once.
public enum StopSignals {
  private static let numbers = [SIGINT, SIGTERM, SIGHUP, SIGUSR1]
  private static let received = Atomic<Int32>(0)
  private static let isWorking = Atomic<Bool>(false)

  /// Handles the signals from now on. An ignored SIGHUP stays ignored, as with `nohup`.
  public static func install() {
    isWorking.store(true, ordering: .relaxed)
    takeOver()
  }

  /// Until `install` is called, one signal ends the process at once, since there is nothing to save yet. The exit codes are the
  /// same as for a run that was stopped.
  public static func installBeforeWork() {
    isWorking.store(false, ordering: .relaxed)
    takeOver()
  }

  private static func takeOver() {
    // Initialise the atomic now, since that would not be safe in the handler.
    _ = (received.load(ordering: .relaxed), alarm.load(ordering: .relaxed))
    for number in numbers {
      var old = sigaction()
      if number == SIGHUP, sigaction(number, nil, &old) == 0,
        unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
      {
        continue
      }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in StopSignals.receive(number) }
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
    // The parent process may have blocked them.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// The write end of the pipe with which the handler wakes the thread of `whenAsked`; -1 for none.
  private static let alarm = Atomic<Int32>(-1)

  /// Calls a function once, on its own thread, as soon as the run is asked to stop.
  ///
  /// - Parameter body: Receives the signal's number. A signal handler could not print, take locks or allocate memory.
  public static func whenAsked(_ body: @escaping @Sendable (Int32) -> Void) {
    var ends: [Int32] = [0, 0]
    guard alarm.load(ordering: .relaxed) < 0, pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (reading, writing) = (ends[0], ends[1])
    alarm.store(writing, ordering: .relaxed)
    let thread = Thread {
      var byte: UInt8 = 0
      guard uninterrupted({ Int32(read(reading, &byte, 1)) }) == 1 else { return }
      body(received.load(ordering: .relaxed))
    }
    thread.name = "stop signals"
    thread.start()
  }

  /// Why the run should stop; nil if it should continue.
  public static var request: StopReason? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : .signal(number)
  }

  /// Runs in the signal handler, where only atomics, `write` and `_exit` are safe.
  private static func receive(_ number: Int32) {
    if !isWorking.load(ordering: .relaxed) { _exit(number == SIGINT ? 130 : 75) }
    if received.exchange(number, ordering: .relaxed) != 0 { _exit(number == SIGTERM ? 143 : 130) }
    let descriptor = alarm.load(ordering: .relaxed)
    if descriptor >= 0 {
      var byte: UInt8 = 1
      let code = errno
      _ = write(descriptor, &byte, 1)
      errno = code
    }
  }
}
