import Settings
import Testing

@Suite struct HiresSizeTests {
  private func size(_ width: Int, _ height: Int, scale: Double = 2, x: Int = 0, y: Int = 0) -> HiresSize {
    var hires = HiresSettings()
    (hires.scale, hires.resizeX, hires.resizeY) = (scale, x, y)
    return HiresSize(hires, firstWidth: width, firstHeight: height)
  }

  @Test func `sizes by a factor lose fractions of pixels, and what is left of eight`() {
    let size = size(512, 520, scale: 1.3)
    #expect((size.width, size.height) == (665, 676))
    #expect((size.finalWidth, size.finalHeight) == (664, 672))
  }

  @Test func `one side follows from the other in whole numbers`() {
    #expect(size(512, 768, x: 1000).height == 1500)
    #expect(size(520, 768, y: 1001).width == 677)
  }

  /// Numbers of the webui's arithmetic by hand: 512x768 to 600x600 covers it as 600x900, of whose 112 latent rows 37 go.
  @Test func `two sides are covered, and what is too much is cut off in the middle`() {
    let tall = size(512, 768, x: 600, y: 600)
    #expect((tall.width, tall.height) == (600, 900))
    #expect(tall.rows == 18..<93 && tall.columns == 0..<75)
    let wide = size(768, 512, x: 512, y: 512)
    #expect((wide.width, wide.height) == (768, 512))
    #expect(wide.columns == 16..<80 && wide.rows == 0..<64)
  }

  @Test func `a first pass that is not given has about 512x512 pixels`() {
    #expect(HiresSize.legacyFirstPass(width: 1024, height: 1024) == (512, 512))
    #expect(HiresSize.legacyFirstPass(width: 1920, height: 1080) == (704, 384))
  }
}
