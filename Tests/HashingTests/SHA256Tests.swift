import Foundation
import Hashing
import Testing

/// The digests of FIPS 180-4's and NIST's examples, and the codes of RFC 4231.
@Suite struct SHA256Tests {
  @Test(
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      ),
    ])
  func digestsAreTheStandards(text: String, expected: String) {
    #expect(hex(SHA256.hash(Data(text.utf8))) == expected)
    #expect(hex(SHA256.hash(text.utf8.lazy.map { $0 })) == expected)
  }

  @Test func aCopyGoesOnByItself() {
    var first = SHA256()
    first.update("ab".utf8)
    var second = first
    first.update("c".utf8)
    second.update("d".utf8)
    #expect(first.finalize() == SHA256.hash("abc".utf8))
    #expect(second.finalize() == SHA256.hash("abd".utf8))
    #expect(first.finalize() == SHA256.hash("abc".utf8))
  }

  @Test(
    arguments: [
      (
        [UInt8](repeating: 0x0b, count: 20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        Array("Jefe".utf8), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        [UInt8](repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
    ])
  func authenticationCodesAreTheStandards(key: [UInt8], message: String, expected: String) {
    #expect(hex(SHA256.authenticationCode(of: message.utf8, key: key)) == expected)
  }

  private func hex(_ digest: SHA256Digest) -> String { digest.map { String(format: "%02x", $0) }.joined() }
}
