import Glibc

/// The processors that this process may use, according to the affinity mask, the cores and the control groups.
///
/// A container often gets fewer processors than the machine has. With more threads than that, threads take turns, and every
/// operation waits for the one whose turn comes last.
public struct ProcessorAllotment: Sendable {
  /// The number of cores that the affinity mask allows. The two hardware threads of a core share its arithmetic units, so they
  /// count once.
  public let cores: Int
  /// The processor time that the control groups allow, in processors; nil if there is no limit.
  public let quota: Double?

  /// The number of threads that can all work at the same time. A fraction of a processor counts as a whole one; otherwise it
  /// would be idle.
  public var threads: Int { max(min(cores, quota.map { Int(min($0, 4096).rounded(.up)) } ?? cores), 1) }

  /// The allotment of this process.
  public init() { self.init(root: "") }

  /// The allotment of a process on a system with these files.
  ///
  /// - Parameter root: The folder that contains `proc`, `sys` and the mounted control groups.
  init(root: String) {
    var seen: Set<String> = []
    for processor in Self.allowed(root) {
      let path = "\(root)/sys/devices/system/cpu/cpu\(processor)/topology/thread_siblings_list"
      seen.insert(Self.text(path) ?? "\(processor)")
    }
    cores = max(seen.count, 1)
    quota = ControlGroups(root: root).quota
  }

  /// The processors that the scheduler may run this process on, from the affinity mask and the cpusets of control groups: the
  /// line "Cpus_allowed_list: 0-3,8" of proc_pid_status(5).
  private static func allowed(_ root: String) -> [Int] {
    let lines = (text(root + "/proc/self/status") ?? "").split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("Cpus_allowed_list:") }),
      let list = line.split(whereSeparator: \.isWhitespace).last
    else { return Array(0..<max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1)) }
    return list.split(separator: ",").flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last, last < 1 << 16 else { return [] }
      return Array(first...last)
    }
  }

  /// The text of a small file without its line end; nil if it cannot be read.
  fileprivate static func text(_ path: String) -> String? {
    var descriptor: Int32
    repeat { descriptor = open(path, O_RDONLY | O_CLOEXEC) } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while bytes.count < 1 << 20 {
      let count = read(descriptor, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += piece[..<count]
    }
    while let last = bytes.last, last == UInt8(ascii: "\n") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The control groups of a process, versions 1 and 2: cgroups(7).
private struct ControlGroups {
  /// The lowest limit of its groups and of all groups around them, in processors; nil if there is none.
  let quota: Double?

  init(root: String) {
    let mounts = (ProcessorAllotment.text(root + "/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap {
      Mount($0)
    }
    var quotas: [Double] = []
    for line in (ProcessorAllotment.text(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",")
      let isVersion2 = fields[0] == "0" && controllers.isEmpty
      guard isVersion2 || controllers.contains("cpu") else { continue }
      for mount in mounts
      where isVersion2 ? mount.type == "cgroup2" : mount.type == "cgroup" && mount.hasController("cpu") {
        for folder in mount.folders(of: fields[2]) {
          if let quota = isVersion2 ? Self.quota2(root + folder) : Self.quota1(root + folder) { quotas.append(quota) }
        }
      }
    }
    quota = quotas.min()
  }

  /// The limit in `cpu.max`: "max 100000" or "150000 100000", in microseconds of work and of the period.
  private static func quota2(_ folder: String) -> Double? {
    let numbers = ProcessorAllotment.text(folder + "/cpu.max")?.split(separator: " ").map { Double($0) } ?? []
    guard numbers.count == 2, let work = numbers[0], let period = numbers[1], work > 0, period > 0 else { return nil }
    return work / period
  }

  /// The limit in the two files of version 1; -1 microseconds of work means no limit.
  private static func quota1(_ folder: String) -> Double? {
    guard let work = ProcessorAllotment.text(folder + "/cpu.cfs_quota_us").flatMap({ Double($0) }),
      let period = ProcessorAllotment.text(folder + "/cpu.cfs_period_us").flatMap({ Double($0) }), work > 0, period > 0
    else { return nil }
    return work / period
  }
}

/// One line of `/proc/self/mountinfo`: proc_pid_mountinfo(5).
private struct Mount {
  /// The folder inside the file system that is mounted.
  private let source: String
  /// The mount point.
  private let target: String
  let type: String
  private let options: [Substring]

  init?(_ line: Substring) {
    let fields = line.split(separator: " ")
    guard let separator = fields.firstIndex(of: "-"), separator >= 6, fields.count >= separator + 4 else { return nil }
    source = Self.unescaped(fields[3])
    target = Self.unescaped(fields[4])
    type = String(fields[separator + 1])
    options = fields[separator + 3].split(separator: ",")
  }

  func hasController(_ name: Substring) -> Bool { options.contains(name) }

  /// The folders of a group, and of all groups around it, that are mounted here.
  func folders(of group: String) -> [String] {
    var names = group.split(separator: "/")[...]
    let above = source.split(separator: "/")
    // A container has its own group at the root of the mount, but may get the group's name as it is outside.
    if names.starts(with: above) { names = names.dropFirst(above.count) } else { names = [] }
    if names.contains("..") { names = [] }
    let base = target == "/" ? "" : target
    return (0...names.count).map { count in names.prefix(count).reduce(base) { $0 + "/" + $1 } }
  }

  /// Replaces escapes like `\040`, a space.
  private static func unescaped(_ field: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(field.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\"), rest.count >= 3,
        let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
