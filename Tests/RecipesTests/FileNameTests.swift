import Settings
import Testing

@testable import Recipes

/// Names and formats of files in recipes.
@Suite struct FileNameTests {
  @Test(arguments: [
    ("file_name: \"[date]/[seed]-[stlye]\"\ngrid: {style: [{title: a}]}", "fish.yaml:2:12", "found [stlye]"),
    ("file_name: \"[sed]\"", "fish.yaml:2:12", "did you mean"),
    ("file_name: \"[seed\"", "fish.yaml:2:12", "found [ without ]"),
    ("file_name: \"/[seed]\"", "fish.yaml:2:12", "empty name"),
    ("file_name: \"[styles]\"", "fish.yaml:2:12", "no meaning"),
    ("grid: {file_name: [a, b]}", "fish.yaml:2:8", "belongs to the top level"),
    ("grid: {look: [{title: a, quality: 3}]}", "fish.yaml:2:26", "belongs to the top level"),
    ("exclude: [{format: png}]", "fish.yaml:2:12", "belongs to the top level"),
    ("include: [{also: webp}]", "fish.yaml:2:12", "belongs to the top level"),
  ])
  func `a mistake is an error at its position`(line: String, position: String, words: String) throws {
    let errors = RecipeText("prompt: x\n" + line + "\n").errors()
    #expect(errors.contains { $0.contains(position) && $0.contains(words) }, "\(errors)")
  }

  @Test func `a pattern may name keys, aliases and axes in any letter case`() throws {
    let recipe = RecipeText(
      "prompt: x\nfile_name: \"[Style]/[CFG_SCALE]-[sampler_index]-[hr_scale]\"\ngrid: {style: [{title: a}, {title: b}]}\n"
    )
    let jobs = try recipe.jobs()
    #expect(jobs.allSatisfy { $0.settings.fileName.hasPrefix("[Style]") })
  }

  @Test func `formats are a name, a list or nothing`() throws {
    for (text, expected) in [
      ("webp", [.webp]), ("[webp, JPG]", [.webp, .jpeg]), ("webp, jpeg", [.webp, .jpeg]), ("null", []), ("none", []),
      ("[]", []),
      ("[webp, webp]", [.webp]),
    ] as [(String, [FileFormat])] {
      let settings = try #require(try RecipeText("prompt: x\nalso: \(text)\n").jobs().first).settings
      #expect(settings.otherFormats == expected, "\(text)")
    }
    let settings = try #require(try RecipeText("prompt: x\nformat: jpg\nalso: [jpeg, png]\n").jobs().first).settings
    #expect(settings.encodings == [.jpeg(quality: 80), .png])
  }
}
