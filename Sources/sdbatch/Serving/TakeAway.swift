import Foundation
import Imaging
import JSON
import PageServer
import Runs
import Sheets
import WebPage

/// Why images cannot be saved.
struct TakeAwayError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Copies of images in one file, to be saved.
struct TakeAway {
  /// The kind of file.
  enum Kind: String {
    case zip, page, sheet, animation
  }

  /// An image with the facts about it.
  struct Image {
    var cell: PageCell
    var path: String
    var pick: Pick

    /// The image as sheets show it.
    var sheetCell: SheetCell {
      SheetCell(
        axes: cell.axes, content: .image(path: path), width: cell.width, height: cell.height, infotext: cell.infotext,
        seconds: cell.seconds)
    }
  }

  let title: String
  let images: [Image]
  let groups: [[String]]
  /// The directions of the page's axes, for a sheet and for the frames of an animation.
  var layout = SheetOptions()
  /// How an animation is stored.
  var animation = AnimationFile()

  /// Makes the file in the folder for temporary files.
  ///
  /// - Parameters:
  ///   - kind: What to make.
  ///   - writesPicks: Whether the copies in a zip get stars and notes as XMP, which photo programs read.
  /// - Returns: The path of the file, and the name under which it is saved.
  /// - Throws: `TakeAwayError`, or why an image cannot be read or written.
  func make(_ kind: Kind, writesPicks: Bool) throws -> (path: String, name: String) {
    guard !images.isEmpty else { throw TakeAwayError("no image is in view") }
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("sdbatch-\(UUID().uuidString)").path
    do {
      switch kind {
      case .zip: try makeZip(path, writesPicks: writesPicks)
      case .page: try makePage(path)
      case .sheet: return (path, try makeSheet(path))
      case .animation: try makeAnimation(path, animation)
      }
    } catch {
      unlink(path)
      throw error
    }
    let endings: [Kind: String] = [.zip: "zip", .page: "html", .animation: animation.form.ending]
    return (path, "\(title).\(endings[kind] ?? "png")")
  }

  private func makeZip(_ path: String, writesPicks: Bool) throws {
    let zip = try ZipFile(path)
    var picks = Picks()
    var names = ZipNames()
    for image in images {
      var bytes = try FileReader.bytes(of: image.path)
      if writesPicks, image.pick != Pick() { bytes = try PictureFile.adding(xmp: Self.xmp(image.pick), to: bytes) }
      try zip.add(names.unused(for: image), bytes)
      if image.pick != Pick() { picks.byID[image.cell.id] = image.pick }
    }
    if !picks.byID.isEmpty { try zip.add("picks.json", Array((picks.json.jsonText + "\n").utf8)) }
    try zip.finish()
  }

  /// The names of the images in a zip: as in their run, including folders.
  private struct ZipNames {
    private var taken: Set<String> = []

    mutating func unused(for image: Image) -> String {
      let parts = image.path.components(separatedBy: "/images/")
      let name = parts.count > 1 ? parts[parts.count - 1] : (image.path as NSString).lastPathComponent
      if taken.insert(name).inserted { return name }
      // Images of several runs may have the same name.
      let other = "\(image.cell.id.prefix(8))-\((name as NSString).lastPathComponent)"
      taken.insert(other)
      return other
    }
  }

  /// Stars, a note and a rejection as photo programs write them. Source: XMP specification, part 2, 2.2 (`xmp:Rating`; -1 means
  /// rejected).
  static func xmp(_ pick: Pick) -> String {
    let note = pick.note.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
    let plain = String(
      String.UnicodeScalarView(note.unicodeScalars.filter { $0.value >= 32 || $0 == "\n" || $0 == "\t" }))
    // The byte order mark makes PNG store the text as UTF-8.
    return """
      <?xpacket begin="\u{FEFF}" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF \
      xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" \
      xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" \
      xmp:Rating="\(pick.isRejected ? -1 : pick.stars)">\
      \(plain.isEmpty ? "" : "<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">\(plain)</rdf:li></rdf:Alt></dc:description>")\
      </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>
      """
  }

  private func makePage(_ path: String) throws {
    let total = images.reduce(0) { $0 + (OpenFile($1.path)?.size ?? 0) }
    guard total < 512 << 20 else {
      throw TakeAwayError("the images have \(total >> 20) MiB, too many for one page; choose fewer, or a zip")
    }
    var heading = RunPage.Heading(
      title: title, isRunning: false, written: Date().formatted(.iso8601), generator: "sdbatch \(SDBatch.version)",
      sheets: [],
      thumbnailSide: ThumbnailFiles.side)
    var picks = Picks()
    for image in images where image.pick != Pick() { picks.byID[image.cell.id] = image.pick }
    heading.picks = picks.json["picks"] ?? .null
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else {
      throw TakeAwayError("cannot write \(path)")
    }
    // Read one at a time before anything is written, since the sequence cannot throw.
    let page = RunPage(heading, positions: images.map(\.cell.axes), groups: groups, layout: SheetOptions())
    try page.write(
      images.indices.lazy.map { number -> PageCell in
        let image = images[number]
        var cell = image.cell
        cell.index = number
        let bytes = (try? FileReader.bytes(of: image.path)) ?? []
        let type = PictureFormat(of: bytes)?.mediaType ?? PictureFormat.png.mediaType
        cell.content = .image(file: "data:\(type);base64," + Data(bytes).base64EncodedString(), thumbnail: nil)
        return cell
      }
    ) { try file.write(contentsOf: $0) }
    try file.close()
  }

  private func makeSheet(_ path: String) throws -> String {
    var options = layout
    options.title = title
    let sheet = try ContactSheet(images.map(\.sheetCell), groups: groups, options: options)
    func page(_ number: Int) throws -> [UInt8] {
      // The sink must not escape with a reference to a local variable.
      let collector = Collector()
      try sheet.write(page: number) { collector.bytes += $0 }
      return collector.bytes
    }
    if sheet.pageCount == 1 {
      try Data(try page(0)).write(to: URL(fileURLWithPath: path))
      return "\(title).png"
    }
    let zip = try ZipFile(path)
    for number in 0..<sheet.pageCount { try zip.add("\(title)-\(number + 1).png", try page(number)) }
    try zip.finish()
    return "\(title)-sheets.zip"
  }

  private final class Collector { var bytes: [UInt8] = [] }

  private func makeAnimation(_ path: String, _ file: AnimationFile) throws {
    let cells = images.map(\.sheetCell)
    let bytes =
      if layout.frames == nil {
        try file.encoded(cells)
      } else {
        try file.encoded(cells, groups: groups, options: layout)
      }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }
}
