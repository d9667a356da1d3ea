import Foundation
import Runs
import Settings
import Synchronization
import Testing
import TestSupport

/// Every single step on the disk of a run with a checkpoint after every sampling step: it is refused or incomplete, or it is
/// the last step of the process or the machine.
@Suite struct FaultTests {
  static let seeds: [Int64] = [11, 22]

  static func jobs() -> [Job] { fakeJobs(seeds) { $0.steps = 2 } }

  /// The files that an undisturbed run leaves.
  static func whole() throws -> Workspace {
    let space = try Workspace()
    try space.run(jobs(), every: .zero)
    return space
  }

  static func stepCount() throws -> Int {
    let counter = StepCounter()
    try Workspace().run(jobs(), on: Disk { _ in counter.next() }, every: .zero)
    return counter.count
  }

  /// What goes wrong with a step.
  enum Fault: CaseIterable {
    /// Only this step fails.
    case once
    /// This step and all later ones fail.
    case fromNowOn
    /// This step fails after half of its bytes were written.
    case halfway
  }

  @Test(
    arguments: [
      (.once, ENOSPC), (.once, EIO), (.once, EROFS), (.once, EMFILE), (.fromNowOn, ENOSPC), (.fromNowOn, EROFS),
      (.halfway, ENOSPC),
    ] as [(Fault, Int32)])
  func `a step on the disk that fails ends the run with its reason and costs nothing`(fault: Fault, code: Int32) throws
  {
    let whole = try Self.whole()
    let images = try whole.images()
    for failing in 0..<(try Self.stepCount()) {
      let space = try Workspace()
      let counter = StepCounter()
      let failed = Mutex<Disk.Step?>(nil)
      let disk = Disk { step in
        let number = counter.next()
        guard number == failing || (fault == .fromNowOn && number > failing) else { return }
        if number == failing { failed.withLock { $0 = step } }
        if fault == .halfway { FaultTests.writeHalf(step) }
        throw RunError.notWritten(path: step.path, action: step.action, code: code)
      }
      let error = #expect(throws: RunError.self) { try space.run(Self.jobs(), on: disk, every: .zero) }
      let step = try #require(failed.withLock { $0 })
      #expect(error == .notWritten(path: step.path, action: step.action, code: code))
      #expect(error?.description == "cannot \(step.action.rawValue) \(step.path): \(String(cString: strerror(code)))")
      try expectRecovery(space, images, "step \(failing): \(step.action) \(step.path)")
    }
  }

  @Test(arguments: [Fault.once, .halfway])
  func `a run killed at any step on the disk loses nothing`(fault: Fault) async throws {
    let whole = try Self.whole()
    let images = try whole.images()
    let count = try Self.stepCount()
    #expect(count > 60)
    for fatal in 0..<count {
      let space = try Workspace()
      let isHalf = fault == .halfway
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = space.path as String, fatal = fatal as Int, isHalf = isHalf as Bool] in
        let counter = StepCounter()
        let disk = Disk { step in
          guard counter.next() == fatal else { return }
          if isHalf { FaultTests.writeHalf(step) }
          kill(getpid(), SIGKILL)
        }
        try runFake(
          FaultTests.jobs(), FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"), on: disk, every: .zero)
      }
      let steps = space.generator.steps.count
      try expectRecovery(space, images, "killed at step \(fatal)")
      // At most the step whose checkpoint was being written is repeated.
      #expect(space.generator.steps.count <= max(steps, 4) + 1, "killed at step \(fatal)")
    }
  }

  static func writeHalf(_ step: Disk.Step) {
    guard step.action == .write, let descriptor = step.descriptor else { return }
    let half = Array(step.bytes.prefix(step.bytes.count / 2))
    _ = write(descriptor, half, half.count)
  }

  /// The published files are correct, and the next run makes the rest and leaves no other files.
  private func expectRecovery(_ space: Workspace, _ images: [String: [UInt8]], _ comment: Comment) throws {
    let published = (try? space.images().filter { !$0.key.hasPrefix(".") }) ?? [:]
    for (name, bytes) in published { #expect(images[name] == bytes, comment) }
    #expect(try space.run(Self.jobs(), every: .zero).imagesMade == 2 - published.count, comment)
    #expect(try space.images() == images, comment)
    #expect(try space.manifestJobs().map { $0["status"] as? String } == ["done", "done"], comment)
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.folder.checkpoints).isEmpty, comment)
    let hidden = try FileManager.default.contentsOfDirectory(atPath: space.folder.path).filter { $0.hasPrefix(".") }
    #expect(hidden.isEmpty, comment)
    #expect(!FileManager.default.fileExists(atPath: space.folder.crashes), comment)
  }

  // MARK: Power cuts

  @Test(arguments: PowerCut.Disk.allCases)
  func `a power cut at any step on the disk loses nothing that was published`(disk: PowerCut.Disk) throws {
    let whole = try Workspace()
    let recorder = Mutex(PowerCut(folder: whole.folder.path))
    let cuts = Mutex<[[String: PowerCut.Entry]]>([])
    try whole.run(
      Self.jobs(),
      on: Disk { step in
        recorder.withLock { recorder in
          cuts.withLock { $0.append(recorder.survivors(on: disk)) }
          recorder.take(step)
        }
      }, every: .zero)
    let images = try whole.images()
    let snapshots = cuts.withLock { $0 }
    #expect(snapshots.count > 60)
    // The recording is correct if it equals the disk after everything is written.
    let last = recorder.withLock { $0.survivors(on: .thatLosesNothing) }
    for (path, entry) in last where path.hasPrefix("images/") {
      #expect(entry == .file(images[String(path.dropFirst("images/".count))] ?? []))
    }
    #expect(Set(last.keys.filter { $0.hasPrefix("images/") }) == Set(images.keys.map { "images/" + $0 }))
    for (number, snapshot) in snapshots.enumerated() {
      let space = try Workspace()
      try PowerCut.put(snapshot, into: space.folder.path)
      // Every image in the journal exists and is complete.
      var reported = 0
      for line in space.lines(space.folder.journal) where line.hasSuffix("}") {
        guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
          let file = object["file"] as? String
        else { continue }
        reported += 1
        let name = String(file.dropFirst("images/".count))
        #expect(snapshot[file] == .file(images[name] ?? []), "cut before step \(number)")
      }
      let outcome = try space.run(Self.jobs(), every: .zero)
      #expect(outcome.imagesMade <= 2 - reported)
      #expect(try space.images() == images, "cut before step \(number)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: space.folder.checkpoints).isEmpty)
    }
  }
}

/// What a disk contains after a power cut: a model of a file system that writes only when it is asked to.
struct PowerCut {
  /// What a name refers to.
  enum Entry: Equatable {
    case folder
    case file([UInt8])
  }

  /// What a disk may do with data that was not synchronised.
  enum Disk: CaseIterable {
    /// All of it is lost.
    case thatKeepsNothing
    /// Names exist, contents are lost.
    case thatKeepsNames
    /// Names exist, and half of the contents; the other half is zeros.
    case thatTearsFiles
    /// As if there had been no power cut.
    case thatLosesNothing
  }

  private struct File {
    var bytes: [UInt8] = []
    var safeBytes: [UInt8] = []
  }

  private let folder: String
  private var files: [File] = []
  /// By path relative to the run folder; nil for a folder.
  private var names: [String: Int?] = [:]
  private var safeNames: [String: Int?] = [:]

  init(folder: String) { self.folder = folder }

  /// Follows one step.
  mutating func take(_ step: Runs.Disk.Step) {
    let path = relative(step.path)
    switch step.action {
    case .makeFolder: names[path] = .some(nil)
    case .create:
      if names[path] == nil {
        files.append(File())
        names[path] = files.count - 1
      }
    case .write: change(path) { $0.bytes += step.bytes }
    case .truncate: change(path) { $0.bytes = [] }
    case .synchronise: change(path) { $0.safeBytes = $0.bytes }
    case .rename:
      guard let old = step.oldPath.map(relative), let file = names.removeValue(forKey: old) else { return }
      names[path] = file
    case .link:
      guard let old = step.oldPath.map(relative), let file = names[old] else { return }
      names[path] = file
    case .remove: names[path] = nil
    case .synchroniseFolder:
      func isInside(_ name: String) -> Bool { (name as NSString).deletingLastPathComponent == path }
      for name in safeNames.keys where isInside(name) && names[name] == nil { safeNames[name] = nil }
      for (name, file) in names where isInside(name) { safeNames[name] = file }
    case .close, .lock: break
    }
  }

  /// The run folder after the power cut, by relative path.
  func survivors(on disk: Disk) -> [String: Entry] {
    var found: [String: Entry] = [:]
    for (name, file) in disk == .thatKeepsNothing ? safeNames : names {
      guard let file else {
        found[name] = .folder
        continue
      }
      let (bytes, safe) = (files[file].bytes, files[file].safeBytes)
      switch disk {
      case .thatKeepsNothing, .thatKeepsNames: found[name] = .file(safe)
      case .thatLosesNothing: found[name] = .file(bytes)
      case .thatTearsFiles:
        // Synchronised data is safe, unless it was cut off since then.
        let kept = safe.count + max(bytes.count - safe.count, 0) / 2
        found[name] = .file(
          Array(bytes.prefix(kept)) + [UInt8](repeating: 0, count: max(bytes.count - kept, 0)))
      }
    }
    // The contents of a folder that was lost are lost.
    return found.filter { name, _ in
      let parent = (name as NSString).deletingLastPathComponent
      return parent.isEmpty || found[parent] == .folder
    }
  }

  /// Creates the folder in this state.
  static func put(_ entries: [String: Entry], into folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, entry) in entries.sorted(by: { $0.key < $1.key }) where !name.isEmpty {
      switch entry {
      case .folder:
        try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
      case .file(let bytes): try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
      }
    }
  }

  private mutating func change(_ path: String, _ body: (inout File) -> Void) {
    if let file = names[path] ?? nil { body(&files[file]) }
  }

  private func relative(_ path: String) -> String {
    path == folder ? "" : path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
  }
}
