extension ModelIdentity {
  /// The most files besides the checkpoint that an infotext lists.
  static let mostModules = 6
}

/// What infotexts record about models that were trained by flow matching.
extension SettingsInUse {
  /// The shift of the noise levels; nil if infotexts leave it out.
  ///
  /// Forge has a slider for families whose default is a whole number, and always writes the shift for these. For the others it
  /// is written only if it was changed.
  var writtenShift: Double? {
    let pass = settings.traits.flow == nil ? second ?? settings.base : settings.base
    guard let flow = pass.traits.flow, pass.effectiveShift != 0 else { return nil }
    let own = flow.table.shift
    return pass.effectiveShift != own || own == own.rounded() ? pass.effectiveShift : nil
  }

  /// The name of a file besides the checkpoint, numbered from 1 as in Forge; nil if there are fewer.
  func module(_ number: Int) -> String? {
    guard settings.traits.flow != nil else { return nil }
    let files = (ingredients.vae.map { [$0] } ?? []) + (ingredients.textEncoders ?? [])
    guard files.indices.contains(number - 1) else { return nil }
    let file = files[number - 1].fileName
    return Self.endings.first { file.lowercased().hasSuffix($0) && file.count > $0.count }
      .map { String(file.dropLast($0.count)) } ?? file
  }

  private static let endings = [".safetensors", ".gguf", ".ckpt", ".pth", ".pt", ".bin"]
}
