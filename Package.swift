// swift-tools-version: 6.2
import PackageDescription

// Targets are listed lowest first: a dependency may only name a target above it.

/// Arithmetic runs optimised in debug builds too, so that the tests take minutes and not hours.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]
/// Code around the arithmetic is optimised for size, which compiles 8 to 25 % faster. Images take as long; planning 100 000 jobs
/// takes 0.3 s instead of 0.22 s.
let small: [SwiftSetting] = [.unsafeFlags(["-Osize"], .when(configuration: .release))]
/// The commands call the other targets and print; optimising them would take as long as optimising the networks.
let plain: [SwiftSetting] = [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let package = Package(
  name: "sdbatch",
  products: [
    .executable(name: "sdbatch", targets: ["sdbatch"]),
    .executable(name: "sdbench", targets: ["sdbench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
  ],
  targets: [
    .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CJPEG", providers: [.apt(["libjpeg62-turbo-dev"])]),
    .systemLibrary(name: "CWebP", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CMicroHTTP", providers: [.apt(["libmicrohttpd-dev"])]),
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    // FreeType, HarfBuzz and FriBidi; HarfBuzz's flags have FreeType's among them.
    .systemLibrary(
      name: "CText", pkgConfig: "harfbuzz", providers: [.apt(["libfreetype-dev", "libharfbuzz-dev", "libfribidi-dev"])]),
    .target(name: "CKernels", exclude: ["README.md"], cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CCrashNotes"),
    .target(name: "CPeaks", cSettings: [.unsafeFlags(["-O3"])]),

    // Text files as strings of the program.
    .executableTarget(name: "embedtext"),
    .plugin(name: "EmbedText", capability: .buildTool(), dependencies: ["embedtext"], path: "Sources/EmbedText"),

    .target(name: "Hashing", dependencies: ["CCrypto"], swiftSettings: optimised),
    .target(name: "Text", swiftSettings: optimised),
    .target(name: "JSON", dependencies: ["Text"], swiftSettings: optimised),
    .target(name: "DemoModel", exclude: ["Training"], resources: [.copy("Resources/demo")]),
    .target(name: "Settings", dependencies: ["JSON", "Text", "Hashing"], swiftSettings: optimised),
    .target(name: "Infotext", dependencies: ["Settings", "JSON", "Text"]),
    .target(name: "Imaging", dependencies: ["CPNG", "CJPEG", "CWebP", "CZlib"], swiftSettings: optimised),
    .target(
      name: "Sheets", dependencies: ["CText", "Imaging", "Infotext", "Settings", "Text"], swiftSettings: optimised),
    .target(
      name: "WebPage", dependencies: ["Sheets", "Settings", "JSON", "Hashing"], exclude: ["Resources"],
      plugins: ["EmbedText"]),
    .target(name: "PageServer", dependencies: ["CMicroHTTP"]),
    .target(name: "Prompts", dependencies: ["Text"]),
    .target(name: "Tokenization", dependencies: ["Prompts", "JSON", "Text", "CZlib"], swiftSettings: optimised),
    .target(name: "Tensors", dependencies: ["CKernels"], swiftSettings: optimised),
    .target(name: "TensorFiles", dependencies: ["CKernels", "JSON", "Text", "Hashing"], swiftSettings: optimised),
    .target(
      name: "Weights", dependencies: ["TensorFiles", "JSON", "Text", "CYAML"], swiftSettings: optimised + small),

    .target(name: "Sampling", dependencies: ["Settings"], swiftSettings: optimised),
    .target(
      name: "Recipes", dependencies: ["Settings", "JSON", "Text", "Prompts", "CYAML", "Hashing"], swiftSettings: small),
    .target(
      name: "Runs",
      dependencies: ["Imaging", "Infotext", "Settings", "JSON", "Text", "CCrashNotes", "CZlib", "Hashing"]),

    .target(
      name: "Delivery",
      dependencies: ["Runs", "Recipes", "Imaging", "Infotext", "Settings", "JSON", "Text", "Hashing"],
      swiftSettings: small),

    .target(
      name: "Networks", dependencies: ["Weights", "TensorFiles", "Tensors", "JSON", "Text"],
      swiftSettings: optimised + small),
    .target(
      name: "Diffusion",
      dependencies: [
        "Networks", "Sampling", "Tokenization", "Prompts", "Imaging", "DemoModel", "Settings", "Text", "Weights",
        "TensorFiles", "Tensors", "Hashing",
      ],
      swiftSettings: optimised + small),

    .executableTarget(
      name: "sdbatch",
      dependencies: [
        "Delivery", "Runs", "Diffusion", "Networks", "Recipes", "Sheets", "WebPage", "PageServer", "DemoModel",
        "Imaging", "Infotext", "Settings", "JSON", "Text", "Prompts", "Tensors", "Tokenization", "Weights",
        "TensorFiles", "Hashing", "CZlib",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Manual.docc"], swiftSettings: plain, plugins: ["EmbedText"]),
    .executableTarget(
      name: "sdbench",
      dependencies: [
        "Runs", "Diffusion", "Networks", "Recipes", "Imaging", "Settings", "JSON", "Text", "Tensors", "CPeaks",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .target(
      name: "TestSupport", dependencies: ["Text", "Hashing"], path: "Tests/TestSupport", swiftSettings: optimised),
    .target(
      name: "SettingsTestSupport", dependencies: ["Settings", "TestSupport"], path: "Tests/SettingsTestSupport"),
    .testTarget(name: "HashingTests", dependencies: ["Hashing"]),
    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(name: "PackageTests", dependencies: ["TestSupport"]),
    .testTarget(
      name: "SettingsTests",
      dependencies: ["Settings", "Infotext", "JSON", "Text", "TestSupport", "SettingsTestSupport"]),
    .testTarget(name: "ImagingTests", dependencies: ["Imaging", "TestSupport", "CZlib"]),
    .testTarget(name: "TextTests", dependencies: ["Text"]),
    .testTarget(name: "SheetsTests", dependencies: ["Sheets", "CText", "Imaging", "Settings", "TestSupport"]),
    .testTarget(name: "WebPageTests", dependencies: ["WebPage", "Sheets", "Settings", "JSON", "Hashing"]),
    .testTarget(name: "PageServerTests", dependencies: ["PageServer"]),
    .testTarget(name: "PromptsTests", dependencies: ["Prompts", "TestSupport"]),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "Prompts", "TestSupport", "CZlib"]),
    .testTarget(
      name: "TensorsTests", dependencies: ["Tensors", "TensorFiles", "TestSupport", "CKernels"],
      swiftSettings: optimised),
    .testTarget(name: "TensorFilesTests", dependencies: ["TensorFiles", "TestSupport"], swiftSettings: optimised),
    .testTarget(
      name: "WeightsTests", dependencies: ["Weights", "TensorFiles", "TestSupport"], swiftSettings: optimised),
    .testTarget(name: "SamplingTests", dependencies: ["Sampling", "Settings", "TestSupport", "SettingsTestSupport"]),
    .testTarget(
      name: "RecipesTests", dependencies: ["Recipes", "Infotext", "Settings", "JSON", "Text", "Prompts", "TestSupport"]),
    .testTarget(
      name: "RunsTests",
      dependencies: ["Runs", "Imaging", "Infotext", "Settings", "JSON", "Text", "TestSupport", "Hashing"]),
    .testTarget(
      name: "DeliveryTests", dependencies: ["Delivery", "Recipes", "Runs", "Settings", "JSON", "TestSupport"]),
    .testTarget(
      name: "NetworksTests", dependencies: ["Networks", "Weights", "TensorFiles", "Tensors", "TestSupport"],
      swiftSettings: optimised),
    .testTarget(
      name: "DiffusionTests",
      dependencies: [
        "Diffusion", "Networks", "DemoModel", "Imaging", "Infotext", "Settings", "Prompts", "Sampling", "Tensors",
        "Tokenization", "Weights", "TensorFiles", "TestSupport",
      ],
      swiftSettings: optimised),
    .testTarget(
      name: "CommandTests",
      dependencies: ["sdbatch", "Imaging", "Infotext", "JSON", "Settings", "TensorFiles", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
