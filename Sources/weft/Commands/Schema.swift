import ArgumentParser
import Documents

struct Schema: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Print the JSON Schema of documents, for editors.",
    discussion: """
      Draft 2020-12. An editor that knows the YAML language server takes it by a first line such as

        # yaml-language-server: $schema=weft.schema.json
      """)

  func run() throws { Console.print(try DocumentSchema.text()) }
}
