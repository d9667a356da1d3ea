import Settings

/// The keys of the second pass.
extension InfotextValues {
  /// A second pass.
  struct Hires {
    var settings: HiresSettings
    /// The title of its checkpoint, if it has one of its own.
    var checkpoint: String?
    /// The size of the first pass, if the text's `Size` is that of the finished image.
    var firstSize: (width: Int, height: Int)?
  }

  /// Reads the second pass; nil if the text has none.
  ///
  /// - Parameter first: The settings of the first pass.
  /// - Returns: Settings that hold only what differs from the first pass.
  mutating func hires(_ first: ImageSettings) -> Hires? {
    let keys = ["Hires upscale", "Hires resize", "Hires upscaler", "First pass size"]
    guard keys.contains(where: has) else { return nil }
    var image = first
    image.hires = HiresSettings()
    read("Denoising strength", as: "denoising_strength", into: &image)
    read("Hires upscale", as: "hr_scale", into: &image)
    read("Hires steps", as: "hr_second_pass_steps", into: &image)
    read("Hires refiner", as: "hires_fix_refiner_pass", into: &image)
    var merging = image
    merging.hires?.tokenMergingRatio = first.tokenMergingRatio
    read("Token merging ratio hr", as: "token_merging_ratio_hr", into: &merging)
    if merging.hires?.tokenMergingRatio != first.tokenMergingRatio { image = merging }
    guard var hires = image.hires else { return nil }
    if let size = size("Hires resize", of: "hr_resize_x") { (hires.resizeX, hires.resizeY) = size }
    if let name = take("Hires upscaler") {
      let reference = UpscalerReference(name: name)
      hires.upscaler = reference
      if Self.otherUpscalers.contains(where: name.hasPrefix) {
        complain("Hires upscaler", name, "a filter, or a network of the ESRGAN family")
      }
    }
    var checkpoint = take("Hires checkpoint")
    // In the webui this means the first pass's checkpoint.
    if checkpoint == "Use same checkpoint" { checkpoint = nil }
    readSampler(into: &hires, first)
    hires.prompt = take("Hires prompt") ?? ""
    hires.negativePrompt = take("Hires negative prompt") ?? ""
    // Sets the size of the second pass too.
    let first = firstSize(first, &hires)
    return Hires(settings: hires, checkpoint: checkpoint, firstSize: first)
  }

  /// Prefixes of the names of the webui's other networks.
  private static let otherUpscalers = ["LDSR", "SwinIR", "ScuNET", "DAT x", "HAT"]

  /// The size of the first pass in texts of the webui's first versions, which wrote the size of the finished image under
  /// `Size`.
  private mutating func firstSize(
    _ whole: ImageSettings, _ hires: inout HiresSettings
  ) -> (width: Int, height: Int)? {
    guard let (width, height) = size("First pass size", of: "width", takesZero: true) else { return nil }
    (hires.resizeX, hires.resizeY) = (whole.width, whole.height)
    guard width > 0, height > 0 else { return HiresSize.legacyFirstPass(width: whole.width, height: whole.height) }
    return (width, height)
  }

  /// Reads sampler and schedule. Without a schedule of its own, the second pass uses that of the first pass, whatever its
  /// sampler.
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
