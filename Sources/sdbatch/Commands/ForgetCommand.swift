import ArgumentParser
import JSON
import Runs
import Sheets
import Text

/// `sdbatch forget DIR`
struct ForgetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget",
    abstract: "Remove old nights from a nightly series; images with stars stay.",
    discussion: """
      Each rule keeps nights, and a night stays if at least one rule keeps it. The images of other nights move to trash/ in the run \
      folder, and are deleted there after \(NightCleanup.daysInTrash) days. They are not made again, except by a run with --remake. \
      Exit codes: 0; 10 not a run folder, or one without nights; 11 a run is using the folder; 74 output could not be written.
      """)

  /// What to keep in addition.
  enum Kept: String, CaseIterable, ExpressibleByArgument {
    case picks
  }

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Option(help: ArgumentHelp("Keep the newest nights.", valueName: "N"))
  var keepLast: Int?

  @Option(help: ArgumentHelp("Keep the newest night of each of the last N days with nights.", valueName: "N"))
  var keepDaily: Int?

  @Option(help: ArgumentHelp("Keep the newest night of each of the last N weeks with nights.", valueName: "N"))
  var keepWeekly: Int?

  @Option(help: ArgumentHelp("Keep the newest night of each of the last N months with nights.", valueName: "N"))
  var keepMonthly: Int?

  @Option(help: "Keep images with stars (picks). They are always kept; without other rules, only they are kept.")
  var keep: Kept?

  @Flag(help: "Show what would be forgotten, without changing anything.")
  var dryRun = false

  @Flag(help: "Delete everything in trash/ now.")
  var emptyTrash = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    let rules = [
      ("--keep-last", keepLast), ("--keep-daily", keepDaily), ("--keep-weekly", keepWeekly),
      ("--keep-monthly", keepMonthly),
    ]
    if let (name, _) = rules.first(where: { $0.1.map { $0 < 1 || $0 > 1_000_000 } ?? false }) {
      throw ValidationError("\(name) takes a number from 1 on")
    }
    if rules.allSatisfy({ $0.1 == nil }), keep == nil, !emptyTrash {
      throw ValidationError(
        "say what to keep: --keep-last, --keep-daily, --keep-weekly, --keep-monthly or --keep picks")
    }
    if dryRun, emptyTrash { throw ValidationError("--dry-run and --empty-trash exclude each other") }
  }

  private var rules: KeepRules? {
    if keepLast == nil, keepDaily == nil, keepWeekly == nil, keepMonthly == nil, keep == nil { return nil }
    return KeepRules(
      last: keepLast ?? 0, daily: keepDaily ?? 0, weekly: keepWeekly ?? 0, monthly: keepMonthly ?? 0)
  }

  func run() throws {
    let folder = RunFolder(folder)
    let lock = dryRun ? nil : try RunLock(existing: folder)
    var members = [JSONMember("folder", .string(folder.path)), JSONMember("dry_run", .bool(dryRun))]
    if let rules {
      let cleanup = try NightCleanup(folder, keeping: rules)
      if let lock {
        try cleanup.apply(lock)
        try refreshViews(folder)
      }
      if json { members += Self.members(cleanup) } else { show(cleanup) }
    }
    if emptyTrash, let lock {
      let (images, bytes) = try NightCleanup.emptyTrash(lock)
      members += [JSONMember("deleted", .integer(Int64(images))), JSONMember("deleted_bytes", .integer(bytes))]
      if !json { Console.output("\(Count(images, "image")), \(ByteText.text(bytes)), deleted from trash/") }
    }
    if json { Console.output(json: JSONValue.object(members).jsonText) }
  }

  private func refreshViews(_ folder: RunFolder) throws {
    do {
      _ = try ContactSheetFiles(folder: folder).refresh()
    } catch let error as SheetError {
      Console.error("no contact sheet: \(error)")
    }
    try RunPageFiles(folder: folder).refresh(patience: nil)
  }

  private func show(_ cleanup: NightCleanup) {
    for night in cleanup.nights {
      let what =
        night.forgotten == 0
        ? "keep    \(Count(night.staying, "job"))"
        : "forget  \(Count(night.forgotten, "job"))" + (night.staying > 0 ? ", \(night.staying) with stars stay" : "")
      Console.output("\(night.date)  \(what)")
    }
    let verb = dryRun ? "would move" : "moved"
    Console.output(
      cleanup.images == 0
        ? "no image to forget"
        : "\(Count(cleanup.images, "image")), \(ByteText.text(cleanup.bytes)), \(verb) to trash/"
          + (dryRun ? "" : ", which is emptied after \(NightCleanup.daysInTrash) days"))
  }

  private static func members(_ cleanup: NightCleanup) -> [JSONMember] {
    [
      JSONMember("images", .integer(Int64(cleanup.images))), JSONMember("bytes", .integer(cleanup.bytes)),
      JSONMember("starred", .integer(Int64(cleanup.starred))),
      JSONMember(
        "nights",
        .array(
          cleanup.nights.map { night in
            [
              "night": .string("\(night.date)"), "kept": .bool(night.isKept),
              "staying": .integer(Int64(night.staying)), "forgotten": .integer(Int64(night.forgotten)),
            ]
          })),
    ]
  }
}
