import Settings
import Testing

@Suite struct HiresSizeTests {
  private func size(_ width: Int, _ height: Int, scale: Double = 2, x: Int = 0, y: Int = 0) -> HiresSize {
    var hires = HiresSettings()
    (hires.scale, hires.resizeX, hires.resizeY) = (scale, x, y)
    return HiresSize(hires, firstWidth: width, firstHeight: height)
  }

  @Test func `sizes by a factor are rounded down to whole pixels, and to multiples of eight`() {
    let size = size(512, 520, scale: 1.3)
    #expect((size.width, size.height) == (665, 676))
    #expect((size.finalWidth, size.finalHeight) == (664, 672))
  }

  @Test func `one side is derived from the other in whole pixels`() {
    #expect(size(512, 768, x: 1000).height == 1500)
    #expect(size(520, 768, y: 1001).width == 677)
  }

  /// The webui's arithmetic by hand: 512x768 covers 600x600 as 600x900, and 37 of its 112 latent rows are cropped.
  @Test func `two given sides are covered, and the surplus is cropped around the middle`() {
    let tall = size(512, 768, x: 600, y: 600)
    #expect((tall.width, tall.height) == (600, 900))
    #expect(tall.rows == 18..<93 && tall.columns == 0..<75)
    let wide = size(768, 512, x: 512, y: 512)
    #expect((wide.width, wide.height) == (768, 512))
    #expect(wide.columns == 16..<80 && wide.rows == 0..<64)
  }

  @Test func `a first pass without a given size has about 512x512 pixels`() {
    #expect(HiresSize.legacyFirstPass(width: 1024, height: 1024) == (512, 512))
    #expect(HiresSize.legacyFirstPass(width: 1920, height: 1080) == (704, 384))
  }
}
