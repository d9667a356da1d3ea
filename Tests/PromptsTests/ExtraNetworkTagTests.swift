import Prompts
import Testing

@Suite struct ExtraNetworkTagTests {
  @Test(arguments: [
    // What Python's re.sub(r"<(\w+):([^>]+)>", "", ...) returns.
    ("a cat <lora:foo:0.8>, dog", "a cat , dog"), ("<lora:a><lora:b:1>x", "x"),
    ("a < b, <3, <lora:>, <:x>", "a < b, <3, <lora:>, <:x>"),
    ("<lora:a\nb:1>x", "x"), ("<lo ra:x> y", "<lo ra:x> y"), ("<foo:bar> y", " y"), ("<<lora:a:1>>", "<>"),
    ("[<lora:a:1>red:blue:0.5]", "[red:blue:0.5]"), ("<ünï_1:x>y", "y"), ("", ""), ("<lora:a", "<lora:a"),
  ])
  func `tags are removed from the prompt as in the webui`(prompt: String, text: String) {
    #expect(ExtraNetworkTag.split(prompt).text == text)
  }

  @Test(
    arguments: [
      ("<lora:a>", 1.0, 1.0, nil), ("<lora:a:0.5>", 0.5, 0.5, nil), ("<lora:a:0.5:-1e-1>", 0.5, -0.1, nil),
      ("<lora:a:0.5:1:8>", 0.5, 1, 8), ("<lora:a:unet=2>", 1, 2, nil), ("<lora:a:te=2>", 2, 2, nil),
      ("<lyco:a:0.5:unet=0:dyn= 4 >", 0.5, 0, 4), ("<lora:a:te=1:te=3: 7 >", 3, 3, nil),
    ] as [(String, Double, Double, Int?)])
  func `the numbers of a LoRA are read as in the webui`(prompt: String, te: Double, unet: Double, rank: Int?) throws {
    let tag = try LoRATag(try #require(ExtraNetworkTag.split(prompt).tags.first))
    #expect(tag.name == "a")
    #expect((tag.textMultiplier, tag.unetMultiplier) == (te, unet))
    #expect(tag.rankLimit == rank)
  }

  @Test(arguments: [
    "<lora:a:x>", "<lora:a:>", "<lora:a:1:nan>", "<lora:a:te=1e99>", "<lora:a:1:1:2.5>", "<lora::1>", "<lora:te=1>",
  ])
  func `a tag whose numbers or name cannot be read is refused`(prompt: String) throws {
    let tag = try #require(ExtraNetworkTag.split(prompt).tags.first)
    let error = #expect(throws: PromptError.self) { try LoRATag(tag) }
    #expect(error?.description.contains(prompt) == true)
  }

  @Test func `an argument with two equals signs is positional`() {
    let tag = ExtraNetworkTag.split("<lora:a=b=c:1>").tags[0]
    #expect(tag.positional == ["a=b=c", "1"])
  }
}
