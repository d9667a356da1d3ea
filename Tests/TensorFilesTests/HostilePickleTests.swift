import Foundation
import Testing
import TestSupport

@testable import TensorFiles

/// Malicious pickles. No code in them may run, and each is an error with the reason, which is found fast and without much
/// memory.
struct HostilePickleTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The message when the file is opened; `bytes` are its whole content.
  private func message(_ bytes: [UInt8], as name: String = "model.ckpt") throws -> String {
    let path = try folder.write(name, bytes)
    let started = ContinuousClock.now
    let error = #expect(throws: TensorFileError.self) { try TensorFile(path: path) }
    // Without a limit, this would take hours.
    #expect(ContinuousClock.now - started < .seconds(300))
    let text = "\(try #require(error))"
    #expect(text.hasPrefix(path) && text.utf8.count < 1000, "\(text.prefix(2000))")
    return text
  }

  private func archive(_ pickle: [UInt8], storages: [ZipBytes.Entry] = []) -> [UInt8] {
    ZipBytes([ZipBytes.Entry("archive/data.pkl", pickle)] + storages).bytes
  }

  static let wants: [(String, String)] = [
    ("cposix\nsystem\n(X\u{4}\0\0\0echotR.", "imports posix.system"),
    ("cnt\nsystem\n.", "imports nt.system"),
    ("cos\nsystem\n.", "imports os.system"),
    ("c__builtin__\neval\n.", "imports __builtin__.eval"),
    ("cbuiltins\nexec\n.", "imports builtins.exec"),
    ("cbuiltins\ngetattr\n.", "imports builtins.getattr"),
    ("csubprocess\nPopen\n.", "imports subprocess.Popen"),
    ("cwebbrowser\nopen\n.", "imports webbrowser.open"),
    ("ctorch\nload\n.", "imports torch.load"),
    ("ctorch.hub\nload_state_dict_from_url\n.", "imports torch.hub.load_state_dict_from_url"),
    ("ctorch.jit\nload\n.", "imports torch.jit.load"),
    ("c__torch__\nModule\n.", "imports __torch__.Module"),
    ("cnumpy\nload\n.", "imports numpy.load"),
    ("cnumpy.core.multiarray\nscalar.__class__\n.", "imports numpy.core.multiarray.scalar.__class__"),
    ("ccollections\nOrderedDict.__init__\n.", "imports collections.OrderedDict.__init__"),
    ("ccollections\nnamedtuple\n.", "imports collections.namedtuple"),
    ("X\u{2}\0\0\0osX\u{6}\0\0\0system\u{93}.", "imports os.system"),
    ("(X\u{2}\0\0\0lsios\nsystem\n.", "makes os.system by the instruction INST"),
    ("(cbuiltins\nint\no.", "the instruction OBJ"),
    ("cbuiltins\nint\n)}\u{92}.", "the instruction NEWOBJ_EX"),
    ("P1\n.", "the instruction PERSID"),
    ("\u{82}\u{1}.", "the instruction EXT1"),
    ("\u{83}\u{1}\0.", "the instruction EXT2"),
    ("\u{84}\u{1}\0\0\0.", "the instruction EXT4"),
    ("\u{97}.", "the instruction NEXT_BUFFER"),
    ("\u{98}.", "the instruction READONLY_BUFFER"),
    ("\u{ff}.", "the unknown instruction 0xff"),
    ("\0.", "the unknown instruction 0x0"),
    // Calls of things that may only be named, or that are not functions.
    ("ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage"),
    ("ctorch\nfloat32\n)R.", "calls torch.float32"),
    ("X\u{1}\0\0\0a)R.", "calls a text"),
    ("})R.", "calls a dictionary"),
    ("ctorch._utils\n_rebuild_tensor_v2\n)\u{81}.", "makes an object of torch._utils._rebuild_tensor_v2"),
    ("K\u{1})\u{81}.", "makes an object of an integer"),
    ("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)}tR.", "by calling"),
    ("K\u{1}}b.", "sets the state of an integer"),
    ("ccollections\nOrderedDict\n}b.", "sets the state of a class or function"),
  ]

  @Test(arguments: wants)
  func `anything else that a pickle asks for is refused by name, in every container`(pickle: String, reason: String)
    throws
  {
    let bytes = pickle.unicodeScalars.map { UInt8($0.value) }
    for container in [archive([0x80, 2] + bytes), [0x80, 2] + bytes, [0x80, 4] + bytes, bytes] {
      #expect(try message(container).contains(reason))
      #expect(try message(container, as: "model.pt").contains("nothing in it was run"))
    }
  }

  @Test func `a call inside a container that is filled later is found, too`() throws {
    var pickle = PickleBytes()
    pickle.raw("}(")
    pickle.string("state_dict")
    pickle.global("collections", "OrderedDict")
    pickle.raw(")R(")
    pickle.string("a")
    pickle.global("posix", "system")
    pickle.raw("(")
    pickle.string("touch /tmp/harm")
    pickle.raw("tRuu.")
    #expect(try message(archive(pickle.bytes)).contains("imports posix.system"))
  }

  static let broken: [(String, String)] = [
    (".", "takes more values off its stack than are on it"),
    ("0.", "takes more values off its stack"),
    ("2.", "takes more values off its stack"),
    ("\u{85}.", "takes more values off its stack"),
    ("N\u{87}.", "takes more values off its stack"),
    ("N(\u{86}.", "takes more values off its stack"),
    ("a.", "takes more values off its stack"),
    ("t.", "has no mark"),
    ("u.", "has no mark"),
    ("1.", "has no mark"),
    ("NR.", "takes more values off its stack"),
    ("b.", "takes more values off its stack"),
    ("q\0.", "takes more values off its stack"),
    ("h\u{7}.", "asks for the value 7, which it has not kept"),
    ("j\u{ff}\u{ff}\u{ff}\u{ff}.", "asks for the value 4294967295"),
    ("gx\n.", "asks for the value 'x'"),
    ("Np-1\n.", "keeps the value '-1'"),
    ("Ix\n.", "the integer 'x'"),
    ("Fx\n.", "the number 'x'"),
    ("S'a\n.", "without quotes"),
    ("}Ns.", "takes more values off its stack"),
    ("}(Nu.", "a key without value"),
    ("(Nd.", "a key without value"),
    ("NNa.", "appends to None"),
    ("NNNs.", "sets items of None"),
    ("NN\u{93}.", "not named by texts"),
    ("NQ.", "not a storage of numbers"),
    ("(X\u{7}\0\0\0storageNNNNtQ.", "not a storage of numbers"),
    ("ccollections\nOrderedDict\nNR.", "with None"),
    ("ccollections\nOrderedDict\nN\u{85}\u{85}R.", "elements that are not pairs"),
    ("ccollections\nOrderedDict\nK\u{1}\u{85}R.", "makes a dictionary of an integer"),
    ("ctorch._utils\n_rebuild_tensor_v2\n)R.", "makes a tensor of something other"),
    ("ctorch._utils\n_rebuild_tensor_v3\n)R.", "without a known element type"),
    ("ctorch._utils\n_rebuild_parameter\n)R.", "makes a parameter of something that is not a tensor"),
    ("ctorch._tensor\n_rebuild_from_type_v2\n)R.", "makes a tensor without arguments"),
    ("c\u{41}", "a line without an end"),
    ("\u{80}\u{9}.", "the protocol 9"),
    ("X\u{ff}\u{ff}\u{ff}\u{ff}a.", "4294967295 bytes at byte"),
    ("\u{8d}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}a.", "18446744073709551615 bytes"),
    ("\u{8e}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{7f}a.", "9223372036854775807 bytes"),
    ("B\u{ff}\u{ff}\u{ff}\u{ff}a.", "4294967295 bytes"),
    ("\u{8b}\u{ff}\u{ff}\u{ff}\u{ff}a.", "4294967295 bytes"),
    ("\u{95}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}.", "18446744073709551615 bytes"),
    ("K", "ends inside a value"), ("J\0\0", "ends inside a value"), ("G\0", "ends inside a value"),
    ("U\u{5}ab", "ends inside a value"), ("N", "without a STOP"), ("", "without a STOP"),
  ]

  @Test(arguments: broken)
  func `a pickle that breaks the rules is reported as damaged, with the reason`(pickle: String, reason: String) throws {
    let bytes = [0x80, 2] + pickle.unicodeScalars.map { UInt8($0.value) }
    for container in [archive(bytes), bytes] {
      let text = try message(container)
      #expect(text.contains(reason) && text.contains("the file is damaged"), "\(text)")
    }
  }

  @Test func `attacks with many values, deep nesting, memory and copies end at a limit`() throws {
    let many = 3_000_000
    func text(_ make: (inout PickleBytes) -> Void) throws -> String {
      var pickle = PickleBytes(protocol: 4)
      make(&pickle)
      return try message(archive(pickle.bytes))
    }
    #expect(try text { $0.raw(Array(repeating: UInt8(ascii: "N"), count: many)) }.contains("instructions"))
    #expect(try text { $0.raw(Array(repeating: UInt8(ascii: "("), count: many)) }.contains("instructions"))
    // One value memoised again and again.
    #expect(try text { $0.raw([UInt8(ascii: "N")] + Array(repeating: 0x94, count: many)) }.contains("instructions"))
    // Lists in lists, a million deep: [[[...]]].
    #expect(
      try text {
        let depth = 900_000
        $0.raw(
          Array(repeating: UInt8(ascii: "]"), count: depth) + Array(repeating: UInt8(ascii: "a"), count: depth - 1))
        $0.raw(".")
      }.contains("nested more than 32 deep, or in a cycle"))
    // A list and a dictionary that contain themselves.
    #expect(try text { $0.raw("]q\0h\0a.") }.contains("in a cycle"))
    #expect(try text { $0.raw("}q\0X\u{1}\0\0\0ah\0s.") }.contains("in a cycle"))
    // Each list has the previous list 16 times: 16^29 values to visit.
    #expect(
      try text {
        $0.raw("]q\0")
        for level in 1..<30 {
          $0.raw("](")
          for _ in 0..<16 { $0.raw([UInt8(ascii: "h"), UInt8(level - 1)]) }
          $0.raw([UInt8(ascii: "e"), UInt8(ascii: "q"), UInt8(level)])
        }
        $0.raw(".")
      }.contains("more values than any model's"))
    // Names that grow by half a million letters per level.
    #expect(
      try text {
        $0.raw("}")
        for _ in 0..<4 {
          $0.string(String(repeating: "a", count: 1 << 19))
          $0.raw("}")
        }
        $0.raw("ssss.")
      }.contains("far more than a model's"))
    // One long list, copied many times.
    #expect(
      try text {
        $0.raw("](")
        $0.raw(Array(repeating: UInt8(ascii: "N"), count: 500_000))
        $0.raw(Array("e".utf8) + [0x94])
        for _ in 0..<1000 {
          $0.global("builtins", "set")
          $0.raw([UInt8(ascii: "h"), 0, 0x85, UInt8(ascii: "R")])
        }
      }.contains("copies more values"))
    #expect(try text { $0.string(String(repeating: "a", count: 2 << 20)) }.contains("a text of 2097152 bytes"))
    #expect(
      try text { $0.raw([0x8B] + PickleBytes.littleEndian(UInt32(5000)) + Array(repeating: 1, count: 6000)) }
        .contains("an integer of 5000 bytes"))
    let longest = Array(repeating: UInt8(0), count: PickleReader.byteLimit + 5)
    #expect(
      try text { $0.raw([UInt8(ascii: "B")] + PickleBytes.littleEndian(UInt32(longest.count)) + longest) }.contains(
        "damaged"))
  }

  // MARK: Tensors

  static let storage = Array(repeating: UInt8(1), count: 64)

  /// Offset, shape, strides, the storage's elements according to the pickle, and a part of the message.
  static let tensors: [(Int, [Int], [Int], Int, String)] = [
    (0, [17], [1], 16, "reaches beyond its storage '0' of 16 elements"),
    (1, [16], [1], 16, "reaches beyond"), (16, [1], [1], 16, "reaches beyond"), (16, [], [], 16, "reaches beyond"),
    (0, [4, 4], [5, 1], 16, "reaches beyond"), (0, [2], [Int.max], 16, "reaches beyond"),
    (0, [Int.max, Int.max], [0, 0], 16, "reaches beyond"), (Int.max, [2], [1], 16, "reaches beyond"),
    (0, [1 << 32, 1 << 32, 0], [0, 0, 0], 16, "reaches beyond"),
    (-1, [1], [1], 16, "from -1"), (0, [-1], [1], 16, "has the shape [-1]"), (0, [2], [-1], 16, "strides [-1]"),
    (0, [2], [1, 1], 16, "has the shape [2] and the strides [1, 1]"),
    (0, [1 << 40], [0], 16, "repeats the 16 elements"), (0, [1 << 20, 1 << 20], [0, 0], 16, "repeats"),
    (0, [17], [1], 17, "has only 64 bytes"), (0, [1], [1], Int.max, "has only 64 bytes"),
    (0, [1], [1], 1 << 62, "has only 64 bytes"),
  ]

  @Test(arguments: tensors)
  func `a tensor that reaches outside of its storage is reported as damage`(
    offset: Int, shape: [Int], strides: [Int], count: Int, reason: String
  ) throws {
    var pickle = PickleBytes()
    pickle.raw("}")
    pickle.string("w")
    pickle.tensor(storage: "FloatStorage", key: "0", count: count, offset: offset, shape: shape, strides: strides)
    pickle.raw("s.")
    let text = try message(archive(pickle.bytes, storages: [ZipBytes.Entry("archive/data/0", Self.storage)]))
    #expect(text.contains(reason) && text.contains("the tensor 'w'"), "\(text)")
  }

  @Test func `storages that are missing, negative or repeated are reported as damage`() throws {
    func pickle(_ key: String, _ count: Int) -> [UInt8] {
      var pickle = PickleBytes()
      pickle.raw("}")
      pickle.string("w")
      pickle.tensor(storage: "FloatStorage", key: key, count: count, shape: [1], strides: [1])
      pickle.raw("s.")
      return pickle.bytes
    }
    let entry = ZipBytes.Entry("archive/data/0", Self.storage)
    #expect(try message(archive(pickle("1", 16), storages: [entry])).contains("lacks the storage '1'"))
    #expect(try message(archive(pickle("../0", 16), storages: [entry])).contains("lacks the storage '../0'"))
    #expect(try message(archive(pickle("0", -1), storages: [entry])).contains("not a storage of numbers"))
    #expect(try message(archive(pickle("0", 16), storages: [entry, entry])).contains("twice"))
    // The same file, intact.
    let path = try folder.write("whole.ckpt", archive(pickle("0", 16), storages: [entry]))
    #expect(try TensorFile(path: path).tensors["w"]?.shape == [1])
  }

  @Test func `the storages of a legacy file are checked against the file`() throws {
    let whole = [UInt8](try Fixtures.data("Weights/containers/legacy.ckpt"))
    // The file is damaged, wherever it ends.
    for count in stride(from: 1, to: whole.count, by: 7) {
      #expect(try message(Array(whole.prefix(count))).contains("damaged"), "\(count) bytes")
    }
    let first = try #require(try TensorFile(path: folder.write("whole.ckpt", whole)).tensors["plain"])
    for count in [UInt64.max, 1 << 63, 1 << 62, 1 << 40, 13] {
      var bytes = whole
      bytes.replaceSubrange(
        first.byteRange.lowerBound - 8..<first.byteRange.lowerBound, with: PickleBytes.littleEndian(count))
      #expect(try message(bytes).contains("damaged"), "\(count)")
    }
  }

  // MARK: Archives

  @Test func `archives with false entries are refused`() throws {
    let pickle = ZipBytes.Entry("archive/data.pkl", [0x80, 2] + Array("}.".utf8))
    func text(_ change: (inout ZipBytes) -> Void) throws -> String {
      var zip = ZipBytes([pickle, ZipBytes.Entry("archive/data/0", Self.storage)])
      change(&zip)
      return try message(zip.bytes)
    }
    #expect(try text { $0.entries[0].method = 8 }.contains("is compressed (method 8)"))
    #expect(try text { $0.entries[1].method = 12 }.contains("is compressed (method 12)"))
    #expect(try text { $0.entries[1].size = 0xFFFF_FFFE }.contains("ends beyond the file"))
    #expect(try text { $0.entries[1].size = 0xFFFF_FFFF }.contains("lacks a size or offset beyond 4 GiB"))
    #expect(try text { $0.entries[1].offset = 0xFFFF_0000 }.contains("is not where the directory says"))
    #expect(try text { $0.entries[1].offset = 0 }.contains("has another name in its own header"))
    #expect(try text { $0.announced = 3 }.contains("ends before its 3 entries"))
    #expect(try text { $0.announced = 0xFFFF }.contains("lacks the record"))
    #expect(try text { $0.directoryOffset = 0xFFFF_FFFE }.contains("is not at the stated offset"))
    #expect(try text { $0.entries.append(pickle) }.contains("twice"))
    #expect(try text { $0.entries[0].name = "archive/data.txt" }.contains("not what torch.save writes"))
    #expect(try text { $0.entries.append(ZipBytes.Entry("b/data.pkl", [])) }.contains("with 2 entries data.pkl"))
    #expect(try text { $0.entries[0].size += 40 }.contains("overlaps another"))
    #expect(
      try text { $0.entries.append(ZipBytes.Entry("archive/byteorder", Array("big".utf8))) }.contains("big-endian"))
    let whole = [UInt8](try Fixtures.data("Weights/containers/archive.ckpt"))
    for count in stride(from: 5, to: whole.count, by: 37) {
      #expect(try message(Array(whole.prefix(count))).contains("damaged"), "\(count) bytes")
    }
  }
}
