import ArgumentParser
import Foundation
import Runs
import Sheets

/// `sdbatch sheet DIR`
struct SheetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sheet",
    abstract: "Lay out the images of a run on labelled pages and in index.html; the run may be in progress.",
    discussion: """
      By default the last axis of the grid runs across and the one before it down. Up to two short ones before them make blocks, \
      and each combination of the rest has a page. Pending and failed cells are marked. index.html is for a browser, where the \
      layout can be changed; of the options it uses only the directions.
      """)

  /// What can be made.
  enum Form: String, CaseIterable, ExpressibleByArgument {
    case png, html
  }

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Option(help: "Make only contact-sheet.png, or only index.html (png or html; default: both).")
  var only: Form?

  @Option(help: "The axis that runs across.")
  var x: String?

  @Option(help: "The axis that runs down.")
  var y: String?

  @Option(help: "The axis that puts whole blocks side by side.")
  var superX: String?

  @Option(help: "The axis that puts whole blocks one below the other.")
  var superY: String?

  @Option(help: "An axis with a page for each value; may be given several times.")
  var page: [String] = []

  @Option(help: "Show only this value of an axis, as axis=value; may be given several times.")
  var filter: [String] = []

  @Flag(
    help: "Show only the images with stars in the run's picks.json, on picks-sheet.png; other files do not change.")
  var picks = false

  @Option(
    help: "The longest side of a tile in pixels (default: the images' size, at most 512, less for many images).")
  var tile: Int?

  @Option(help: "The number of tiles side by side if one axis is shown.")
  var columns: Int?

  @Option(
    help: "The order if one axis is shown: \(SheetOptions.Order.allCases.map(\.rawValue).joined(separator: " or "))."
  )
  var sort = SheetOptions.Order.written

  @Option(
    help: "A font file for the labels; may be given several times.", completion: .file(extensions: ["ttf", "otf"]))
  var font: [String] = []

  @Option(help: "The title (default: the folder's name).")
  var title = ""

  @Option(
    help: """
      Make only an animation, in this file: WebP, or animated PNG if its name ends in .png or .apng. A frame has all images of \
      one value of an axis.
      """, completion: .file())
  var animation: String?

  @Option(help: "The axis of an animation (default: the last one).")
  var along: String?

  @Option(help: "How long an animation shows each frame, in seconds.")
  var seconds = 0.5

  @Flag(help: "Keep the pixels of an animation in WebP exactly; the file is about ten times as large.")
  var lossless = false

  func validate() throws {
    if let tile, !(16...8192).contains(tile) { throw ValidationError("--tile takes 16 to 8192 pixels") }
    if let columns, !(1...1024).contains(columns) { throw ValidationError("--columns takes 1 to 1024") }
    if !(0.02...60).contains(seconds) { throw ValidationError("--seconds takes 0.02 to 60") }
    if animation == nil, along != nil || lossless { throw ValidationError("--along and --lossless need --animation") }
    if animation != nil, only != nil { throw ValidationError("--animation and --only exclude each other") }
    if picks, only == .html { throw ValidationError("--picks and --only html exclude each other") }
    for text in filter where !text.contains("=") {
      throw ValidationError("--filter \(text): expected axis=value, such as --filter cfg_scale=7")
    }
  }

  func run() throws {
    var options = SheetOptions()
    (options.x, options.y, options.superX, options.superY) = (x, y, superX, superY)
    options.pages = page
    options.filters = filter.map { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return SheetOptions.Filter(axis: String(parts[0]), value: String(parts[1]))
    }
    (options.tile, options.columns, options.order) = (tile, columns, sort)
    (options.fonts, options.title) = (font, title)
    let run = RunFolder(folder)
    if let animation { return try animate(run, options, to: animation) }
    if picks {
      let files = ContactSheetFiles(folder: run, picks: try Picks(of: run))
      for page in 0..<(try files.make(options)) { Console.output(files.path(page)) }
      return
    }
    if only != .html {
      let files = ContactSheetFiles(folder: run)
      for page in 0..<(try files.make(options, makesThumbnails: only == nil)) { Console.output(files.path(page)) }
    }
    if only != .png {
      try RunPageFiles(folder: run).make(options, isRunning: RunLock.holder(of: run) != nil)
      Console.output(run.page)
    }
  }

  private func animate(_ folder: RunFolder, _ options: SheetOptions, to path: String) throws {
    let files = ContactSheetFiles(folder: folder, picks: picks ? try Picks(of: folder) : nil)
    let run = try RunImages(folder)
    let cells = try files.entries(of: run).map { SheetCell($0) }
    var options = options
    guard let last = cells.max(by: { $0.axes.count < $1.axes.count })?.axes.last?.name else {
      throw AnimationError("the run has no axis along which it could be animated")
    }
    let axis = along ?? last
    // The recipe's layout is for sheets: the axis is not in a frame, and a frame has no pages.
    if !options.hasDirections {
      options.takeLayout(of: run)
      options.pages = []
      let directions: [WritableKeyPath<SheetOptions, String?>] = [\.x, \.y, \.superX, \.superY]
      for direction in directions where options[keyPath: direction] == axis {
        options[keyPath: direction] = nil
      }
    }
    options.frames = axis
    if options.title.isEmpty { options.title = (folder.path as NSString).lastPathComponent }
    var file = AnimationFile(form: lossless ? .lossless : .webp, milliseconds: Int((seconds * 1000).rounded()))
    if [".png", ".apng"].contains(where: path.lowercased().hasSuffix) { file.form = .png }
    let bytes = try file.encoded(cells, groups: run.zipGroups, options: options)
    let path = URL(fileURLWithPath: path).path
    DerivedFile.removeLeftovers(of: [path])
    try DerivedFile.write(to: path, on: Disk(isShared: true)) { sink in try sink(bytes) }
    Console.output(path)
  }
}

extension SheetOptions.Order: ExpressibleByArgument {}
