import Foundation

/// Pauses a run while the machine is needed for something else: until there is enough free disk space, until other programs
/// need the processor less, or until the machine has mains power again.
///
/// A run asks before every step, so a condition may begin and end at any time. During a pause, models stay loaded and the
/// unfinished image stays in memory.
public final class ResourceGate {
  /// What to wait for.
  public struct Limits: Hashable, Sendable {
    /// The least number of free bytes on the disk of the run folder; nil for no limit.
    public var free: Int64?
    /// The highest load by other processes; nil for no limit.
    public var load: Double?
    /// Whether to wait while the machine runs on its battery.
    public var battery = false

    /// No limits.
    public init() {}

    /// Whether there is anything to wait for.
    public var isEmpty: Bool { free == nil && load == nil && !battery }
  }

  /// What is known about the machine; tests replace it.
  public struct Machine: Sendable {
    /// The free bytes on the disk of a path; nil if unknown.
    public var free: @Sendable (String) -> Int64?
    /// The average number of processes, including this one, that ran or waited to run in the last minute; nil if unknown.
    public var load: @Sendable () -> Double?
    /// The seconds of processor time that this process has used.
    public var used: @Sendable () -> Double
    /// Whether the machine runs on its battery.
    public var isOnBattery: @Sendable () -> Bool
    /// The time in seconds, from any starting point.
    public var now: @Sendable () -> Double
    /// Waits for a short time.
    public var sleep: @Sendable () -> Void

    /// This machine.
    public init() {
      free = { Self.freeBytes($0) }
      load = {
        guard let bytes = try? FileReader.bytes(of: "/proc/loadavg") else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: " ").first.flatMap { Double($0) }
      }
      used = {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
      }
      isOnBattery = { Self.isOnBattery("/sys/class/power_supply") }
      now = {
        let time = ContinuousClock.now
        return ResourceGate.start.duration(to: time) / .seconds(1)
      }
      sleep = { usleep(200_000) }
    }

    /// The free bytes for this user on the disk of a path, which need not exist yet.
    static func freeBytes(_ path: String) -> Int64? {
      var path = path as NSString
      var found = statvfs()
      while statvfs(path as String, &found) != 0 {
        guard path.length > 1 else { return nil }
        path = path.deletingLastPathComponent as NSString
      }
      return Int64(clamping: UInt64(found.f_bavail) * UInt64(found.f_frsize))
    }

    /// Whether power comes from a battery, by the kernel's list of power supplies: a battery discharges, and no supply is
    /// plugged in.
    static func isOnBattery(_ folder: String) -> Bool {
      func text(_ supply: String, _ name: String) -> String? {
        (try? FileReader.bytes(of: "\(folder)/\(supply)/\(name)")).map {
          String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
      }
      var isDischarging = false
      for supply in (try? AtomicFile.names(in: folder)) ?? [] {
        // The batteries of mice and keyboards power nothing else.
        if text(supply, "scope") == "Device" { continue }
        if text(supply, "type") == "Battery" {
          if text(supply, "status") == "Discharging" { isDischarging = true }
        } else if text(supply, "online") == "1" {
          return false
        }
      }
      return isDischarging
    }
  }

  fileprivate static let start = ContinuousClock.now
  private let limits: Limits
  private let path: String
  private let machine: Machine
  private let report: (String) -> Void
  private var lastLook: Double?
  private var (lastUsed, lastTime): (Double, Double)
  /// This process's own part of the load, averaged as the kernel does it.
  private var ownLoad = 0.0

  /// The time between two looks at the machine, in seconds.
  private static let interval = 2.0

  /// A gate.
  ///
  /// - Parameters:
  ///   - limits: What to wait for.
  ///   - path: A path on the disk whose free space counts.
  ///   - machine: What is known about the machine.
  ///   - report: Receives the reason when the run starts to wait, and a line when it continues.
  public init(
    _ limits: Limits, path: String, machine: Machine = Machine(), report: @escaping (String) -> Void
  ) {
    (self.limits, self.path, self.machine, self.report) = (limits, path, machine, report)
    (lastUsed, lastTime) = (machine.used(), machine.now())
  }

  /// Returns when the run may continue or must stop.
  ///
  /// - Parameter stopRequest: Why the run must stop; asked while the run waits.
  /// - Returns: What `stopRequest` returned last.
  public func pass(until stopRequest: () -> StopReason?) -> StopReason? {
    if limits.isEmpty { return stopRequest() }
    if let lastLook, machine.now() - lastLook < Self.interval { return stopRequest() }
    var waitingFor: String?
    while true {
      if let reason = stopRequest() { return reason }
      lastLook = machine.now()
      let obstacle = obstacle()
      guard let obstacle else { break }
      // The numbers change all the time, so each reason is reported only once.
      if waitingFor != obstacle.kind {
        waitingFor = obstacle.kind
        report("waiting: \(obstacle.text)")
      }
      machine.sleep()
    }
    if waitingFor != nil { report("continuing") }
    return nil
  }

  private func obstacle() -> (kind: String, text: String)? {
    noteOwnLoad()
    if let least = limits.free, let free = machine.free(path), free < least {
      return ("free", "\(Self.text(free)) free on the disk of \(path), --min-free \(Self.text(least))")
    }
    if let most = limits.load, let load = machine.load() {
      let others = max(0, load - ownLoad)
      if others > most {
        let shown = (others * 100).rounded() / 100
        return ("load", "the load by other processes is \(shown), --max-load \(most)")
      }
    }
    return limits.battery && machine.isOnBattery() ? ("battery", "on battery, --pause-on-battery") : nil
  }

  private func noteOwnLoad() {
    let (used, time) = (machine.used(), machine.now())
    guard time > lastTime else { return }
    let fading = exp((lastTime - time) / 60)
    ownLoad = ownLoad * fading + (used - lastUsed) / (time - lastTime) * (1 - fading)
    (lastUsed, lastTime) = (used, time)
  }

  private static func text(_ bytes: Int64) -> String {
    "\((Double(bytes) / 1_073_741_824 * 10).rounded() / 10) GiB"
  }
}
