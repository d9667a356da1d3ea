// swift-tools-version: 6.0
import PackageDescription

// Targets are listed lowest first: a dependency may only name a target above it.

/// Arithmetic runs optimised in debug builds too, so that the tests take minutes and not hours.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

let package = Package(
  name: "sdbatch",
  products: [
    .executable(name: "sdbatch", targets: ["sdbatch"]),
    .executable(name: "sdbench", targets: ["sdbench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
  ],
  targets: [
    .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    // FreeType, HarfBuzz and FriBidi; HarfBuzz's flags have FreeType's among them.
    .systemLibrary(
      name: "CText", pkgConfig: "harfbuzz", providers: [.apt(["libfreetype-dev", "libharfbuzz-dev", "libfribidi-dev"])]),
    .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CCrashNotes"),
    .target(name: "CPeaks", cSettings: [.unsafeFlags(["-O3"])]),

    .target(name: "JSON", swiftSettings: optimised),
    .target(name: "DemoModel", exclude: ["Training"], resources: [.copy("Resources/demo")]),
    .target(name: "Jobs", dependencies: ["JSON", crypto]),
    .target(name: "Imaging", dependencies: ["CPNG", "CZlib"], swiftSettings: optimised),
    .target(name: "Sheets", dependencies: ["CText", "Imaging", "Jobs"], swiftSettings: optimised),
    .target(
      name: "WebPage", dependencies: ["Sheets", "Jobs", "JSON", crypto],
      // Inside the program, so that a copy of it makes pages too.
      resources: [
        .embedInCode("Resources/page.html"), .embedInCode("Resources/page.css"), .embedInCode("Resources/elements.js"),
        .embedInCode("Resources/run.js"), .embedInCode("Resources/view.js"), .embedInCode("Resources/arrangement.js"),
        .embedInCode("Resources/sheet.js"), .embedInCode("Resources/controls.js"), .embedInCode("Resources/stage.js"),
        .embedInCode("Resources/viewer.js"), .embedInCode("Resources/comparison.js"), .embedInCode("Resources/main.js"),
      ]),
    .target(name: "Prompts"),
    .target(name: "Tokenization", dependencies: ["Prompts", "CZlib"], swiftSettings: optimised),
    .target(name: "Tensors", dependencies: ["CKernels"], swiftSettings: optimised),
    .target(name: "Weights", dependencies: ["CKernels", "JSON", crypto], swiftSettings: optimised),

    .target(name: "Sampling", dependencies: ["Jobs"], swiftSettings: optimised),
    .target(name: "Planning", dependencies: ["Jobs", "JSON", "Prompts", "CYAML", crypto]),
    .target(name: "Batch", dependencies: ["Imaging", "Jobs", "JSON", "CCrashNotes", "CZlib", crypto]),

    .target(name: "Responses", dependencies: ["Batch", "Planning", "Imaging", "Jobs", "JSON", crypto]),

    .target(name: "Layers", dependencies: ["Weights", "Tensors"], swiftSettings: optimised),
    .target(name: "Models", dependencies: ["Layers", "Weights", "Tensors", "JSON"], swiftSettings: optimised),
    .target(
      name: "Diffusion",
      dependencies: [
        "Models", "Sampling", "Tokenization", "Prompts", "Imaging", "DemoModel", "Jobs", "JSON", "Weights", "Tensors",
        crypto,
      ],
      swiftSettings: optimised),

    .executableTarget(
      name: "sdbatch",
      dependencies: [
        "Responses", "Batch", "Diffusion", "Models", "Planning", "Sheets", "WebPage", "DemoModel", "Imaging", "Jobs",
        "JSON", "Prompts", "Tensors", "Tokenization", "Weights", crypto,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(
      name: "sdbench",
      dependencies: [
        "Batch", "Diffusion", "Models", "Planning", "Imaging", "Jobs", "JSON", "Tensors", "CPeaks",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: optimised),
    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(name: "JobsTests", dependencies: ["Jobs", "JSON", "TestSupport"]),
    .testTarget(name: "ImagingTests", dependencies: ["Imaging", "TestSupport", crypto]),
    .testTarget(name: "SheetsTests", dependencies: ["Sheets", "CText", "Imaging", "Jobs", "TestSupport"]),
    .testTarget(name: "WebPageTests", dependencies: ["WebPage", "Sheets", "Jobs", "JSON", crypto]),
    .testTarget(name: "PromptsTests", dependencies: ["Prompts", "TestSupport"]),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "Prompts", "TestSupport", "CZlib"]),
    .testTarget(
      name: "TensorsTests", dependencies: ["Tensors", "Weights", "TestSupport", "CKernels"], swiftSettings: optimised),
    .testTarget(name: "WeightsTests", dependencies: ["Weights", "TestSupport"], swiftSettings: optimised),
    .testTarget(name: "SamplingTests", dependencies: ["Sampling", "Jobs", "TestSupport"]),
    .testTarget(name: "PlanningTests", dependencies: ["Planning", "Jobs", "JSON", "Prompts", "TestSupport"]),
    .testTarget(name: "BatchTests", dependencies: ["Batch", "Imaging", "Jobs", "JSON", "TestSupport", crypto]),
    .testTarget(
      name: "ModelsTests", dependencies: ["Models", "Weights", "Tensors", "TestSupport"], swiftSettings: optimised),
    .testTarget(
      name: "DiffusionTests",
      dependencies: [
        "Diffusion", "Models", "DemoModel", "Imaging", "Jobs", "Prompts", "Sampling", "Tensors", "Weights",
        "TestSupport",
      ],
      swiftSettings: optimised),
    .testTarget(name: "CommandTests", dependencies: ["sdbatch", "Imaging", "JSON", "Jobs", "TestSupport", crypto]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
