import JSON
import Settings
import Testing
import TestSupport

@testable import Recipes

/// Values of requests in other forms than their fields have, compared with pydantic 1.10
/// (`Tests/FixtureScripts/make_request_fields.py`).
@Suite struct PydanticValueTests {
  private static let kinds: [String: RequestFieldKind] = [
    "integer": .integer, "number": .number, "flag": .flag, "text": .text, "texts": .texts, "list": .list,
    "object": .object,
  ]

  @Test func `a field takes exactly the values that pydantic takes, and reads them as pydantic does`() throws {
    let rows = try #require(try JSONValue(parsing: try Fixtures.text("Requests/fields.json")).elements)
    #expect(rows.count > 800)
    for row in rows {
      let (name, text) = (try #require(row["kind"]?.text), try #require(row["text"]?.text))
      let kind = try #require(Self.kinds[name])
      let request = RequestText(Array(text.utf8), path: "a.json")
      let node = try request.value(in: request.bytes.indices, Findings())
      let found = PydanticValue(node, as: kind)
      guard let expected = row["result"]?["value"] else {
        #expect(found == nil, "\(name) \(text): \(found?.node.found ?? "")")
        continue
      }
      let value = try #require(found?.node, "\(name) \(text)")
      #expect(Self.agrees(value, expected, kind), "\(name) \(text): \(value.found), expected \(expected)")
    }
  }

  private static func agrees(_ node: YAMLNode, _ expected: JSONValue, _ kind: RequestFieldKind) -> Bool {
    switch kind {
    case .text: return node.scalar?.coreValue == .text && node.scalar?.text == expected.text
    case .integer:
      let found = node.scalar.flatMap { ExactDecimal($0.text)?.integer }
      // A number that does not fit into 64 bits stays unchanged, and is out of every field's range.
      return found == expected.integerValue
    case .number:
      let found = node.scalar.flatMap { CoreNumber.number($0.text) } ?? 0
      let number = expected.text.flatMap(Double.init) ?? 0
      return found == number || (found.isNaN && number.isNaN)
    case .flag: return node.scalar?.coreValue == (expected == true ? .boolean(true) : .boolean(false))
    case .texts: return (node.items ?? []).map { $0.scalar?.text } == (expected.elements ?? []).map(\.text)
    case .list: return node.items?.count == expected.elements?.count
    case .object: return node.json == expected
    }
  }

  // MARK: Requests

  private func request(_ text: String) -> RecipeText {
    var recipe = RecipeText(text, environment: PlanningEnvironment(demoWidth: 128, demoHeight: 128))
    recipe.path = "request.json"
    return recipe
  }

  @Test func `numbers as text and booleans as numbers or words are read with a warning each`() throws {
    let loose = request(
      #"{"prompt": 5, "width": "64", "height": " 72 ", "steps": 2.7, "cfg_scale": "7.5", "seed": "5", "tiling": "on", "#
        + #""enable_hr": 0, "restore_faces": "off", "send_images": "no", "subseed": 3, "n_iter": true, "styles": []}"#)
    let strict = request(
      #"{"prompt": "5", "width": 64, "height": 72, "steps": 2, "cfg_scale": 7.5, "seed": 5, "tiling": true, "#
        + #""enable_hr": false, "restore_faces": false, "send_images": false, "subseed": 3, "n_iter": 1, "styles": []}"#
    )
    #expect(try loose.jobs().map(\.settings) == strict.jobs().map(\.settings))
    #expect(try strict.warnings().isEmpty)
    let warnings = try loose.warnings()
    #expect(warnings.count == 11)
    #expect(warnings[0] == #"request.json:1:12: warning: prompt: found 5, read as "5", as in the webui"#)
    #expect(warnings.contains(#"request.json:1:57: warning: steps: found 2.7, read as 2, as in the webui"#))
    let (asked, plain) = (try loose.plan().requests?[0].request, try strict.plan().requests?[0].request)
    // The webui's response has the fields as pydantic reads them.
    #expect(asked?.parameters == plain?.parameters && asked?.sendsImages == false)
  }

  @Test(arguments: [
    (#"{"steps": "2.7"}"#, #"1:11: error: steps: found "2.7", expected a whole number"#),
    (#"{"steps": ""}"#, #"1:11: error: steps: found "", expected a whole number"#),
    (#"{"tiling": "perhaps"}"#, #"1:12: error: tiling: found "perhaps", expected true or false"#),
    (#"{"cfg_scale": "7,5"}"#, #"1:15: error: cfg_scale: found "7,5", expected a number"#),
    (#"{"prompt": ["a"]}"#, "1:12: error: prompt: found a list, expected text"),
    (#"{"override_settings": [1]}"#, "1:23: error: override_settings: found a list, expected an object"),
    // The webui does not convert options, and fails on these.
    (#"{"override_settings": {"CLIP_stop_at_last_layers": "2"}}"#, "1:52: error: CLIP_stop_at_last_layers: found"),
    (#"{"override_settings": {"s_churn": "1"}}"#, "1:35: error: s_churn: found"),
    (#"{"override_settings": {"sgm_noise_multiplier": "off"}}"#, "1:48: error: sgm_noise_multiplier: found"),
  ])
  func `what pydantic or the webui would reject is an error`(text: String, error: String) {
    let errors = request(text).errors()
    #expect(errors.count == 1 && errors[0].hasPrefix("request.json:" + error), "\(errors)")
  }

  @Test func `options take booleans for numbers and numbers for booleans`() throws {
    let options = request(
      #"{"seed": 1, "override_settings": {"CLIP_stop_at_last_layers": true, "sgm_noise_multiplier": 1, "#
        + #""uni_pc_lower_order_final": 0.0}}"#)
    let settings = try #require(try options.jobs().first).settings
    #expect(settings.clipSkip == 1 && settings.sgmNoiseMultiplier && !settings.uniPCLowerOrderFinal)
    #expect(try options.warnings().count == 3)
  }
}
