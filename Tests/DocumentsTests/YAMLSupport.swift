import Documents
import FuzzTargets
import OverlayModel

func trace(_ yaml: String) -> String { trace(Array(yaml.utf8)) }

/// The trace of a document, or the text of the error that it has.
func trace(_ bytes: [UInt8]) -> String { read(bytes, isShortened: true).trace }

/// The text of the error that a document has.
func errorText(_ yaml: String) -> String { errorText(Array(yaml.utf8)) }

func errorText(_ bytes: [UInt8]) -> String {
  let text = trace(bytes)
  return text.contains("error: ") ? text : "no error"
}
