import JSON
import Settings
import TestSupport

/// Jobs and infotexts written by `Tests/FixtureScripts/make_jobs.py`.
struct JobFixture: Decodable {
  var parameters = ImageSettings()
  var ingredients: JobIngredients
  var id: String
  var canonical: String
  var infotext: String
  var prompt: String
  var negative: String
  var settings: [String: String]

  private enum CodingKeys: CodingKey {
    case ingredients, id, canonical, infotext, prompt, negative, settings
  }

  static func all() throws -> [JobFixture] {
    let path = "Jobs/jobs.json"
    let jobs = try JSONValue(parsing: String(decoding: Fixtures.data(path), as: UTF8.self)).elements ?? []
    return try zip(Fixtures.decode([JobFixture].self, from: path), jobs).map { fixture, job in
      var fixture = fixture
      fixture.parameters = try ImageSettings(planned: job["parameters"] ?? .null)
      return fixture
    }
  }
}

struct ParsedFixture: Decodable {
  var text: String
  var prompt: String
  var negative: String
  var settings: [String: String]

  static func all() throws -> [ParsedFixture] { try Fixtures.decode(from: "Jobs/infotexts.json") }
}

/// Whether two texts have the same bytes; `==` on strings treats composed and decomposed letters as equal.
func isSame(_ a: String, _ b: String) -> Bool { Array(a.utf8) == Array(b.utf8) }
