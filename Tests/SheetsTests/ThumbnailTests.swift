import Imaging
import Synchronization
import Testing

@testable import Sheets

/// Images made smaller.
@Suite struct ThumbnailTests {
  @Test func `linear light is averaged, not encoded values`() {
    let pixels = (0..<16).flatMap { i -> [UInt8] in
      let value: UInt8 = (i % 4 + i / 4) % 2 == 0 ? 0 : 255
      return [value, value, value]
    }
    let image = RGBImage(width: 4, height: 4, pixels: pixels)
    // Half the light of white is 188 in sRGB.
    #expect(Thumbnail.scaled(image, width: 2, height: 2).pixels == Array(repeating: 188, count: 12))
  }

  @Test func `a pixel that covers parts of others is their weighted mean`() {
    // Three pixels to two: the middle one is split in half. Linear 1, 0, 0 gives 2/3 and 0.
    let image = RGBImage(width: 3, height: 1, pixels: [255, 255, 255, 0, 0, 0, 0, 0, 0])
    #expect(Thumbnail.scaled(image, width: 2, height: 1).pixels == [213, 213, 213, 0, 0, 0])
  }

  @Test func `values are unchanged at the image's own size and in flat areas`() {
    let pixels = (0..<256).flatMap { value in Array(repeating: UInt8(value), count: 3 * 9) }
    let image = RGBImage(width: 9, height: 256, pixels: pixels)
    #expect(Thumbnail.scaled(image, width: 9, height: 256) == image)
    #expect(
      Thumbnail.scaled(image, width: 2, height: 256).pixels
        == (0..<256).flatMap { value in Array(repeating: UInt8(value), count: 6) })
  }

  @Test(arguments: [
    (512, 512, 128, 128), (512, 768, 85, 128), (100, 50, 100, 50), (2048, 64, 128, 4), (9000, 8, 128, 1),
  ])
  func `sizes fit the box with their proportions`(width: Int, height: Int, expectedWidth: Int, expectedHeight: Int) {
    #expect(Thumbnail.size(width: width, height: height, box: (128, 128)) == (expectedWidth, expectedHeight))
  }
}

/// Values that threads make.
@Suite struct OrderedWorkTests {
  private final class Counter: Sendable { let value = Mutex(0) }

  @Test func `values come in order, and no more are made ahead than allowed`() {
    let begun = Counter()
    let work = OrderedWork<Int>(100, ahead: 7) { number in
      begun.value.withLock { $0 = max($0, number + 1) }
      return number * number
    }
    var values: [Int] = []
    while values.count < 100 {
      values += work.next(9)
      #expect(begun.value.withLock { $0 } <= values.count + 7)
    }
    #expect(values == (0..<100).map { $0 * $0 })
    #expect(work.next(3).isEmpty)
    #expect(OrderedWork<Int?>.all(5) { $0 % 2 == 0 ? $0 : nil } == [0, nil, 2, nil, 4])
    #expect(OrderedWork<Int>.all(0) { $0 }.isEmpty)
  }

  @Test func `work that nobody waits for ends`() {
    let made = Counter()
    do {
      let work = OrderedWork<Int>(1_000_000, ahead: 3) { _ in
        made.value.withLock {
          $0 += 1; return $0
        }
      }
      #expect(work.next(1).count == 1)
    }
    #expect(made.value.withLock { $0 } <= 4)
  }
}
