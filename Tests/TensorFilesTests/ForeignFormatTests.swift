import Foundation
import Testing
import TestSupport

@testable import TensorFiles

/// Files that are not models, or models of other programs, with the names of models.
struct ForeignFormatTests {
  /// The first bytes, and a part of the format's name.
  static let files: [(bytes: [UInt8], found: String)] = [
    (Array("<!DOCTYPE html><html></html>".utf8), "a web page"),
    (Array("\n\n <!doctype html>".utf8), "a web page"),
    ([0xEF, 0xBB, 0xBF] + Array("<html><head>".utf8), "a web page"),
    (Array("version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 4\n".utf8), "a Git LFS pointer"),
    (Array(#"{"error":"Unauthorized"}"#.utf8), "a JSON text"),
    (Array("Access to model is restricted".utf8), #"a text, which begins with "Access to model is restricted""#),
    (Array("Repository Not Found for url: https://example.org.".utf8), "a text"),
    (Array("Unauthorized".utf8), "a text"),
    ([0x1F, 0x8B, 8] + zeros(40), "packed file (gzip)"),
    (Array("7z".utf8) + [0xBC, 0xAF, 0x27, 0x1C] + zeros(40), "packed file (7z archive)"),
    (Array("Rar!".utf8) + [0x1A, 7, 1, 0] + zeros(40), "packed file (RAR archive)"),
    ([0xFD] + Array("7zXZ".utf8) + zeros(40), "packed file (xz)"),
    ([0x28, 0xB5, 0x2F, 0xFD] + zeros(40), "packed file (Zstandard)"),
    (Array("model.ckpt".utf8) + zeros(247) + Array("ustar".utf8) + zeros(250), "packed file (tar archive)"),
    (ZipBytes([ZipBytes.Entry("model.ckpt", [1, 2, 3])]).bytes, "packed file (zip archive, with model.ckpt inside)"),
    (ZipBytes([ZipBytes.Entry("a.npy", [1, 2, 3])]).bytes, "NumPy"),
    (
      ZipBytes([ZipBytes.Entry("m/data.pkl", [0x80, 2]), ZipBytes.Entry("m/code/a.py", [1])]).bytes,
      "a TorchScript program"
    ),
    ([0x89] + Array("HDF".utf8) + [0x0D, 0x0A, 0x1A, 0x0A] + zeros(40), "an HDF5 file"),
    ([0x08, 0x07, 0x12, 0x07] + Array("pytorch".utf8) + [0x1A, 3], "an ONNX model"),
    ([0x08, 0x0A, 0x3A, 0xFF, 0xFF, 3], "an ONNX model"),
    (Array("ftrt".utf8) + zeros(40), "a TensorRT engine"),
    (Array(#"<?xml version="1.0"?>\#n<net name="unet" version="11">"#.utf8), "an OpenVINO model"),
    ([0x82, 0xA6] + Array("params".utf8) + [0x81, 0xA1, 0x61], "a Flax model"),
    ([0xDE, 0, 20, 0xD9, 33] + Array(repeating: 0x61, count: 40), "a Flax model"),
    (zeros(5000), "unfinished download"),
    ([0x89] + Array("PNG".utf8) + [0x0D, 0x0A, 0x1A, 0x0A], "a PNG image"),
  ]

  private static func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

  @Test(arguments: files, ["safetensors", "ckpt", "pt", "pth", "bin", "gguf", "onnx", "model"])
  func `a file is reported as what it is under any ending`(file: (bytes: [UInt8], found: String), ending: String) throws
  {
    let folder = try TemporaryFolder()
    let path = try folder.write("model.\(ending)", file.bytes)
    let error = #expect(throws: TensorFileError.self) { try TensorFile(path: path) }
    guard case .unsupported(path, let found, let advice) = error else {
      Issue.record("\(file.found) gave \(String(describing: error))")
      return
    }
    #expect(found.contains(file.found) && !advice.isEmpty, "\(found)")
  }

  @Test(arguments: [
    "cos\nsystem\n(S'touch harm'\ntR.", "(dp0\nS'a'\nI1\ns.", "c__builtin__\neval\n(S'x'\ntR.",
  ])
  func `a pickle that is printable text is still read as a pickle`(text: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("model.ckpt", Array(text.utf8))
    let error = #expect(throws: TensorFileError.self) { try TensorFile(path: path) }
    if case .unsupported = error { Issue.record("gave \(String(describing: error))") }
  }

  @Test func `models and archives are recognised under any ending, texts are not`() throws {
    let folder = try TemporaryFolder()
    for (index, file) in Self.files.enumerated() {
      let path = try folder.write("\(index).dat", file.bytes)
      let isText = file.found.contains("text") || file.found.contains("PNG")
      #expect(TensorFile.isLikely(path: path) != isText, "\(file.found)")
    }
  }
}
