import Settings

/// What an infotext says of a second pass.
extension InfotextValues {
  /// A second pass, and the size of the first where the text has that of the whole.
  struct Hires {
    var settings: HiresSettings
    /// The title of its checkpoint, where it has one.
    var checkpoint: String?
    var firstSize: (width: Int, height: Int)?
  }

  /// The second pass; nothing where the text has none.
  ///
  /// - Parameter first: The settings of the first pass.
  /// - Returns: Settings that say only what differs from the first pass.
  mutating func hires(_ first: ImageSettings) -> Hires? {
    let keys = ["Hires upscale", "Hires resize", "Hires upscaler", "First pass size"]
    guard keys.contains(where: has) else { return nil }
    var hires = HiresSettings()
    read("Denoising strength", into: &hires.denoisingStrength)
    read("Hires upscale", into: &hires.scale)
    if let size = size("Hires resize") { (hires.resizeX, hires.resizeY) = size }
    read("Hires steps", into: &hires.steps)
    if let name = take("Hires upscaler") {
      let reference = UpscalerReference(name: name)
      hires.upscaler = reference
      if Self.otherUpscalers.contains(where: name.hasPrefix) {
        complain("Hires upscaler", name, "a filter, or a network of the ESRGAN family")
      }
    }
    var checkpoint = take("Hires checkpoint")
    // The webui's words for the first pass's.
    if checkpoint == "Use same checkpoint" { checkpoint = nil }
    readChoice("Hires refiner", into: &hires.refinerPass)
    readSampler(into: &hires, first)
    hires.prompt = take("Hires prompt") ?? ""
    hires.negativePrompt = take("Hires negative prompt") ?? ""
    var ratio = first.tokenMergingRatio
    read("Token merging ratio hr", into: &ratio)
    if ratio != first.tokenMergingRatio { hires.tokenMergingRatio = ratio }
    return Hires(settings: hires, checkpoint: checkpoint, firstSize: firstSize(first, &hires))
  }

  /// What the names of the webui's other networks begin with.
  private static let otherUpscalers = ["LDSR", "SwinIR", "ScuNET", "DAT x", "HAT"]

  /// The webui's first versions wrote the size of the whole as that of the image.
  private mutating func firstSize(
    _ whole: ImageSettings, _ hires: inout HiresSettings
  ) -> (width: Int, height: Int)? {
    guard let (width, height) = size("First pass size") else { return nil }
    (hires.resizeX, hires.resizeY) = (whole.width, whole.height)
    guard width > 0, height > 0 else { return HiresSize.legacyFirstPass(width: whole.width, height: whole.height) }
    return (width, height)
  }

  /// No schedule of its own means that of the first pass, whatever the sampler.
  private mutating func readSampler(into hires: inout HiresSettings, _ first: ImageSettings) {
    var sampler = first.sampler
    var label = first.namedSchedule
    if let name = take("Hires sampler") {
      guard let (found, schedule) = SamplerID.resolve(name) else {
        return complain("Hires sampler", name, "a sampler's name")
      }
      sampler = found
      if found != first.sampler { hires.sampler = found }
      if let schedule { label = schedule }
    }
    if let type = take("Hires schedule type") {
      guard let found = ScheduleID.resolve(type) else {
        return complain("Hires schedule type", type, "a schedule's name")
      }
      label = found
    }
    if label == sampler.defaultSchedule { label = .automatic }
    if label != first.scheduler { hires.scheduler = label }
  }
}
