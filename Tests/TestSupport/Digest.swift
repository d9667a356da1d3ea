import Hashing
import Foundation
import Text

/// SHA-256 in lower-case hexadecimal.
package func digest(_ bytes: some DataProtocol) -> String { Hexadecimal.text(SHA256.hash(bytes)) }

/// SHA-256 of a text's UTF-8, in lower-case hexadecimal.
package func digest(_ text: String) -> String { digest(Array(text.utf8)) }
