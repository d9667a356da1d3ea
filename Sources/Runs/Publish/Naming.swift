import Settings

/// Gives the images of a run their names.
struct Naming {
  let names: ImageNames
  let renaming: ImageRenaming

  /// The name that an image should have, without its extension; nil if its present name is good.
  ///
  /// - Parameters:
  ///   - planned: The job.
  ///   - index: Its index in the plan.
  ///   - file: The present name of the image.
  /// - Returns: The name.
  /// - Throws: `RunError.notRead`.
  func stem(_ planned: IdentifiedJob, at index: Int, _ file: String) throws -> String? {
    if let stem = try names.stem(of: planned, at: index, { try renaming.journal.image(planned.id) }) { return stem }
    // Without a pattern, an image keeps its number when the recipe changes.
    return RunFolder.isDefaultName(file) ? nil : RunFolder.imageStem(planned.job, planned.id)
  }

  /// Gives an image that was just published its name.
  ///
  /// If another file has the name, the beginning of the identity is added to it; a later run renames the image when the name is
  /// free.
  ///
  /// - Parameters:
  ///   - image: The line that the journal has.
  ///   - planned: The job.
  ///   - index: Its index in the plan.
  /// - Returns: The line that the journal has now.
  /// - Throws: `RunError`.
  func settle(_ image: FinishedImage, _ planned: IdentifiedJob, at index: Int) throws -> FinishedImage {
    guard let stem = try stem(planned, at: index, image.file) else { return image }
    return try renaming.rename(image, to: stem) ?? renaming.rename(image, to: Self.aside(stem, image.id)) ?? image
  }

  /// A name that only this image can have.
  static func aside(_ stem: String, _ id: JobID) -> String { "\(stem)-\(id.prefix(8))" }
}

extension RunFolder {
  /// Whether an image has the kind of name that is used without a pattern.
  static func isDefaultName(_ file: String) -> Bool {
    let parts = file.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 && RunFileName.isImage(String(parts[1]))
  }
}
