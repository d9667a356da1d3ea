import Foundation
import JSON
import Settings
import Text

/// Decides which jobs of a plan are left out, and moves their images to `trash/`.
///
/// The order of the steps makes a kill at any time harmless: first the list names the images, then they are moved, then the
/// list says that they were moved. If the list says that an image was moved and it is in `images/`, somebody put it back.
struct Forgetting {
  /// What the decision needs to know about a job.
  struct Candidate {
    var id: JobID
    var night: LocalDate?
  }

  /// How many days a forgotten image stays in `trash/`.
  static let daysInTrash = 30

  /// The list after the decision.
  private(set) var images: ForgottenImages
  /// The jobs of the plan that are left out.
  private(set) var leftOut: Set<JobID> = []
  /// The entries that this decision added.
  private(set) var added: [ForgottenImages.Entry] = []
  /// How many images somebody put back.
  private(set) var restored = 0
  /// How many images stay because they have stars, although the rules do not keep their nights.
  private(set) var starred = 0
  /// Files that `--remake` takes out of `trash/`.
  private var returning: [ForgottenImages.Entry] = []
  private let before: ForgottenImages
  private let folder: RunFolder

  /// Makes the decision, and changes nothing.
  ///
  /// - Parameters:
  ///   - candidates: The jobs of the plan, in order.
  ///   - folder: The run.
  ///   - rules: Which nights are kept; nil for all.
  ///   - reason: Why a night that is not kept is forgotten.
  ///   - remakes: Whether images that were forgotten or deleted are made again.
  ///   - now: The time.
  /// - Throws: `RunError`.
  init(
    _ candidates: [Candidate], in folder: RunFolder, keeping rules: KeepRules? = nil,
    reason: ForgottenImages.Reason = .keep, remakes: Bool = false, now: Timestamp = .now()
  ) throws {
    self.folder = folder
    before = try ForgottenImages(of: folder)
    images = before
    let hasNights = candidates.contains { $0.night != nil }
    if before.entries.isEmpty, !hasNights { return }
    for entry in before.entries.values {
      guard let file = entry.file, !entry.isMoving, access(folder.file(file), F_OK) == 0 else { continue }
      images.entries[entry.id] = nil
      restored += 1
    }
    let past = try past(candidates, rules)
    if remakes {
      for entry in images.entries.values where !past.contains(entry.id) {
        images.entries[entry.id] = nil
        if let file = entry.file, access(folder.trashed(file), F_OK) == 0 { returning.append(entry) }
      }
    }
    if hasNights { try addNew(candidates, past, reason, isLookingForDeleted: !remakes, now) }
    leftOut = Set(candidates.map(\.id)).intersection(images.entries.keys)
  }

  /// The jobs of nights that the rules do not keep, except jobs of kept nights and images with stars.
  private mutating func past(_ candidates: [Candidate], _ rules: KeepRules?) throws -> Set<JobID> {
    guard let rules else { return [] }
    let kept = rules.kept(candidates.lazy.compactMap(\.night))
    let picks = try Picks(of: folder)
    var past: Set<JobID> = []
    var staying: Set<JobID> = []
    for job in candidates {
      if let night = job.night, !kept.contains(night) {
        if picks.isPicked(job.id.description) {
          if images.entries[job.id] == nil { starred += 1 }
        } else {
          past.insert(job.id)
        }
      } else {
        staying.insert(job.id)
      }
    }
    return past.subtracting(staying)
  }

  private mutating func addNew(
    _ candidates: [Candidate], _ past: Set<JobID>, _ reason: ForgottenImages.Reason, isLookingForDeleted: Bool,
    _ now: Timestamp
  ) throws {
    let index = try JournalIndex(folder)
    // Without the folder of images, nobody can have chosen images.
    let looks = isLookingForDeleted && access(folder.images, F_OK) == 0
    let nights = isLookingForDeleted ? forgottenNights : []
    for job in candidates where job.night != nil && images.entries[job.id] == nil {
      let names = index.images[job.id]?.files.names ?? []
      let isThere = names.contains { access(folder.file($0), F_OK) == 0 }
      if let night = job.night, names.isEmpty, nights.contains(night) {
        add(job, [], .forget, now)
      } else if past.contains(job.id) {
        add(job, isThere ? names : [], reason, now)
      } else if looks, !names.isEmpty, !isThere {
        add(job, names, .deleted, now)
      }
    }
  }

  /// Nights that were forgotten as a whole. If the recipe changes, their images would get other ids and be made again.
  private var forgottenNights: Set<LocalDate> {
    Set(images.entries.values.lazy.filter { $0.reason != .deleted }.compactMap(\.night))
  }

  private mutating func add(_ job: Candidate, _ names: [String], _ reason: ForgottenImages.Reason, _ now: Timestamp) {
    let entry = ForgottenImages.Entry(
      id: job.id, night: job.night, file: names.first, others: Array(names.dropFirst()), forgotten: now, reason: reason,
      isMoving: !names.isEmpty && reason != .deleted)
    images.entries[job.id] = entry
    added.append(entry)
  }

  // MARK: Carrying it out

  /// Carries out the decision.
  ///
  /// - Parameters:
  ///   - disk: The disk.
  ///   - now: The time, which decides what is deleted from `trash/`.
  /// - Throws: `RunError`.
  func apply(on disk: Disk, now: Timestamp = .now()) throws {
    var images = images
    try takeBack(on: disk)
    try images.write(to: folder, on: disk)
    let moving = images.entries.values.filter(\.isMoving)
    if !moving.isEmpty {
      try disk.makeFolder(folder.trash)
      for entry in moving.sorted(by: { $0.file ?? "" < $1.file ?? "" }) {
        try move(entry, on: disk)
        images.entries[entry.id]?.isMoving = false
      }
      try disk.synchroniseFolder(folder.trash)
      try disk.synchroniseFolder(folder.images)
      try images.write(to: folder, on: disk)
    }
    try Self.prune(folder, images, olderThanDays: Self.daysInTrash, on: disk, now: now)
  }

  /// Moves files from `trash/` back, as a user would do it by hand.
  private func takeBack(on disk: Disk) throws {
    guard !returning.isEmpty else { return }
    try disk.makeFolder(folder.images)
    for name in returning.flatMap(\.files).sorted()
    where access(folder.file(name), F_OK) != 0 && access(folder.trashed(name), F_OK) == 0 {
      try disk.rename(folder.trashed(name), to: folder.file(name))
    }
    try disk.synchroniseFolder(folder.images)
  }

  private func move(_ entry: ForgottenImages.Entry, on disk: Disk) throws {
    for name in entry.files where access(folder.file(name), F_OK) == 0 {
      try disk.rename(folder.file(name), to: folder.trashed(name))
    }
    guard let file = entry.file else { return }
    let thumbnail = folder.file(RunFolder.thumbnail(of: file))
    if access(thumbnail, F_OK) == 0 { try disk.remove(thumbnail) }
  }

  /// Deletes images from `trash/` that were forgotten long enough ago; files that are not in the list stay.
  ///
  /// - Returns: How many images were deleted, and how many bytes.
  @discardableResult
  static func prune(
    _ folder: RunFolder, _ images: ForgottenImages, olderThanDays days: Int, on disk: Disk, now: Timestamp = .now()
  ) throws -> (images: Int, bytes: Int64) {
    guard access(folder.trash, F_OK) == 0 else { return (0, 0) }
    let limit = now.milliseconds - Int64(days) * 86_400_000
    var (count, bytes): (Int, Int64) = (0, 0)
    for entry in images.entries.values where entry.forgotten.milliseconds <= limit && !entry.isMoving {
      for name in entry.files {
        guard let size = try? FileMark(path: folder.trashed(name)).size else { continue }
        try disk.remove(folder.trashed(name))
        bytes += size
        if name == entry.file { count += 1 }
      }
    }
    return (count, bytes)
  }
}

extension JobList {
  /// The jobs without those that are left out: forgotten images, and images of a night that somebody deleted.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - rules: Which nights are kept; nil for all.
  ///   - remakes: Whether these images are made again instead.
  /// - Returns: The decision, which is not carried out yet, and the jobs.
  /// - Throws: `RunError`.
  func forgetting(
    in folder: RunFolder, keeping rules: KeepRules?, remakes: Bool
  ) throws -> (Forgetting?, JobList) {
    // Included cells come last and have no night.
    let isNightly = jobs.first { _ in true }?.night != nil
    if !isNightly, access(folder.forgotten, F_OK) != 0 { return (nil, self) }
    let candidates = zip(ids, jobs).map { id, job in Forgetting.Candidate(id: id, night: job.night) }
    let forgetting = try Forgetting(candidates, in: folder, keeping: rules, remakes: remakes)
    return (forgetting, leavingOut(forgetting.leftOut))
  }

  /// The jobs that a run in this folder has, without those that are left out. Writes nothing.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - rules: Which nights are kept; nil for all.
  ///   - remakes: Whether these images are made again instead.
  /// - Returns: The jobs.
  /// - Throws: `RunError`.
  public func remembered(in folder: RunFolder, keeping rules: KeepRules?, remakes: Bool = false) throws -> JobList {
    try forgetting(in: folder, keeping: rules, remakes: remakes).1
  }

  /// The jobs of a shard; a shard does not forget images itself.
  func withoutForgotten(in folder: RunFolder) throws -> JobList {
    let forgotten = try ForgottenImages(of: folder)
    return leavingOut(Set(ids.lazy.filter { forgotten.entries[$0] != nil }))
  }

  /// The jobs without these, with new numbers.
  private func leavingOut(_ left: Set<JobID>) -> JobList {
    left.isEmpty ? self : JobList(self, without: left)
  }
}

extension Forgetting {
  /// The decision, in words.
  var lines: [String] {
    func count(_ reason: ForgottenImages.Reason) -> Int { added.count { $0.reason == reason && $0.file != nil } }
    func images(_ count: Int) -> String { count == 1 ? "1 image" : "\(count) images" }
    var lines: [String] = []
    if count(.keep) > 0 {
      lines.append(
        "\(images(count(.keep))) of nights that the recipe no longer keeps moved to trash/, which is emptied after "
          + "\(Self.daysInTrash) days")
    }
    if count(.deleted) == 1 {
      lines.append("1 image of earlier nights was deleted, and is not made again (--remake makes it)")
    } else if count(.deleted) > 1 {
      lines.append(
        "\(images(count(.deleted))) of earlier nights were deleted, and are not made again (--remake makes them)")
    }
    if restored > 0 { lines.append("\(images(restored)) put back") }
    return lines
  }
}

extension KeepRules {
  /// The rules of a recipe, `nightly: {keep: 30}`; nil if it keeps all nights.
  ///
  /// - Parameter recipe: The recipe as the manifest shows it.
  public init?(recipe: JSONValue) {
    let keep = recipe["nightly"]?["keep"]
    guard let count = keep?.integerValue ?? keep?.text.flatMap({ Int64($0) }), count > 0 else { return nil }
    self.init(last: Int(min(count, Int64(Int32.max))))
  }
}
