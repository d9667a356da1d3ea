import Testing

/// Impossible sizes of second passes are rejected when the recipe is read, at the value that causes them.
@Suite struct SizeCheckTests {
  private static let complaint = "found a second pass of 51200x51200 pixels, expected sides from 8 to 8192"

  private func errors(_ lines: String...) -> [String] {
    RecipeText(
      "prompt: fish\nwidth: 512\nheight: 512\nenable_hr: true\ndenoising_strength: 0.5\n"
        + lines.joined(separator: "\n")
    ).errors()
  }

  @Test(arguments: ["[1.5, 100]", "[100, 1.5]"])
  func `a value of an axis is rejected wherever it is in the list`(values: String) {
    let column = values == "[1.5, 100]" ? 24 : 19
    #expect(errors("grid: {hr_scale: \(values)}") == ["fish.yaml:6:\(column): error: hr_scale: \(Self.complaint)"])
  }

  @Test func `a value of the base is rejected`() {
    #expect(errors("hr_scale: 100") == ["fish.yaml:6:11: error: hr_scale: \(Self.complaint)"])
    #expect(
      errors("hr_resize_y: 4") == [
        "fish.yaml:6:14: error: hr_resize_y: found a second pass of 4x4 pixels, expected sides from 8 to 8192"
      ])
  }

  @Test func `a first pass that is too large for its scale is rejected`() {
    #expect(
      errors("grid: {width: [512, 8192]}") == [
        "fish.yaml:6:21: error: width: found a second pass of 16384x1024 pixels, expected sides from 8 to 8192"
      ])
  }

  @Test func `a value of an axis with a name of its own, and an included cell, are rejected`() {
    #expect(
      errors("grid: {style: [{title: small, hr_scale: 1.5}, {title: large, hr_scale: 100}]}") == [
        "fish.yaml:6:47: error: hr_scale: \(Self.complaint)"
      ])
    #expect(errors("include: [{hr_scale: 100}]") == ["fish.yaml:6:11: error: hr_scale: \(Self.complaint)"])
  }

  @Test func `excluded cells, and those without a second pass, may have any size`() {
    #expect(errors("grid: {hr_scale: [1.5, 100]}", "exclude: [{hr_scale: 100}]").isEmpty)
    #expect(errors("grid: {hr_scale: [1.5, 2]}").isEmpty)
    #expect(RecipeText("prompt: fish\nhr_scale: 100\n").errors().isEmpty)
    #expect(
      RecipeText("prompt: fish\nhr_scale: 100\nwidth: 512\ngrid: {enable_hr: [false, true]}\n").errors().count == 1)
  }

  @Test func `a request is rejected too`() {
    let body = #"{"prompt": "fish", "enable_hr": true, "denoising_strength": 0.5, "hr_scale": 100}"#
    var request = RecipeText(body)
    request.path = "fish.json"
    #expect(request.errors() == ["fish.json:1:1: error: hr_scale: \(Self.complaint)"])
  }
}
