import Documents
import Testing

/// The text of every error that the cursor itself finds.
@Suite struct YAMLErrorTests {
  @Test(arguments: errors) func describes(_ yaml: String, _ expected: String) {
    #expect(errorText(yaml) == expected)
  }
}

private let errors: [(String, String)] = [
  (
    "a: {x: 1}\nb: c: d\n",
    #"""
    f.yaml:2:5: error: mapping values are not allowed in this context
        b: c: d
            ^
    """#
  ),
  (
    "a:\n\tb: 1\n",
    #"""
    f.yaml:2:1: error: a tab cannot indent YAML; use spaces
         b: 1
        ^
    """#
  ),
  (
    "a: b\n\tc: 1\n",
    #"""
    f.yaml:2:1: error: a tab cannot indent YAML; use spaces
         c: 1
        ^
    """#
  ),
  (
    "a: b\n  \tc: 1\n",
    #"""
    f.yaml:2:5: error: a tab cannot indent YAML; use spaces
           c: 1
            ^
    """#
  ),
  (
    "a: [1, 2\nb: 3\n",
    #"""
    f.yaml:2:2: error: did not find expected ',' or ']' while parsing a flow sequence
        b: 3
         ^
    f.yaml:1:4: note: the flow sequence begins here
        a: [1, 2
           ^
    """#
  ),
  (
    "a: {x: 1\n",
    #"""
    f.yaml:1:9: error: did not find expected ',' or '}' while parsing a flow mapping
        a: {x: 1
                ^
    f.yaml:1:4: note: the flow mapping begins here
        a: {x: 1
           ^
    """#
  ),
  (
    "a: \"open\n",
    #"""
    f.yaml:1:9: error: the closing quote is missing
        a: "open
                ^
    f.yaml:1:4: note: the quoted scalar begins here
        a: "open
           ^
    """#
  ),
  (
    "a: @x\n",
    #"""
    f.yaml:1:4: error: a value cannot begin with '@'; put it in quotes
        a: @x
           ^
    """#
  ),
  (
    "a: `x\n",
    #"""
    f.yaml:1:4: error: a value cannot begin with '`'; put it in quotes
        a: `x
           ^
    """#
  ),
  (
    "%x\n",
    #"""
    f.yaml:1:3: error: found unknown directive name while scanning a directive
        %x
          ^
    f.yaml:1:1: note: the directive begins here
        %x
        ^
    """#
  ),
  (
    "a: 1\nb\nc: 3\n",
    #"""
    f.yaml:3:1: error: could not find expected ':' while scanning a simple key
        c: 3
        ^
    f.yaml:2:1: note: the simple key begins here
        b
        ^
    """#
  ),
  (
    "- a\nb: 1\n",
    #"""
    f.yaml:2:1: error: did not find expected '-' indicator while parsing a block collection
        b: 1
        ^
    f.yaml:1:1: note: the block collection begins here
        - a
        ^
    """#
  ),
  (
    "{} x\n",
    #"""
    f.yaml:1:4: error: unexpected text after the end of the document
        {} x
           ^
    """#
  ),
  (
    "--- a\n--- b\n",
    #"""
    f.yaml:2:1: error: a second document begins here; put it into a file of its own
        --- b
        ^
    """#
  ),
  (
    "a\n... x\n",
    #"""
    f.yaml:2:5: error: unexpected text after the end of the document
        ... x
            ^
    """#
  ),
  (
    "a: *x\n",
    #"""
    f.yaml:1:4: error: no anchor '&x' comes before this alias
        a: *x
           ^
    """#
  ),
  (
    "a: &x [*x]\n",
    #"""
    f.yaml:1:8: error: the alias '*x' stands inside the node that it repeats
        a: &x [*x]
               ^
    """#
  ),
  (
    "a: !!str 1\nb: 2\n",
    #"""
    f.yaml:1:4: error: tags are not supported: leave out the word that begins with '!'
        a: !!str 1
           ^
    """#
  ),
  (
    "a: !x 1",
    #"""
    f.yaml:1:4: error: tags are not supported: leave out the word that begins with '!'
        a: !x 1
           ^
    """#
  ),
  (
    "a: !x!y 1",
    #"""
    f.yaml:1:4: error: tags are not supported: leave out the word that begins with '!'
        a: !x!y 1
           ^
    """#
  ),
  (
    "a: \u{07}b\n",
    #"""
    f.yaml:1:4: error: the character U+0007 is not allowed in YAML; write it as \x07 in double \#
    quotes, or leave it out
        a: �b
           ^
    """#
  ),
  (
    "a: \0\n",
    #"""
    f.yaml:1:4: error: the character U+0000 is not allowed in YAML; write it as \x00 in double \#
    quotes, or leave it out
        a: �
           ^
    """#
  ),
  (
    "\u{feff}a: \u{7F}\n",
    #"""
    f.yaml:1:4: error: the character U+007F is not allowed in YAML; write it as \x7F in double \#
    quotes, or leave it out
        a: �
           ^
    """#
  ),
  (
    "a: \u{fffe}\n",
    #"""
    f.yaml:1:4: error: the character U+FFFE is not allowed in YAML; write it as \uFFFE in double \#
    quotes, or leave it out
        a: �
           ^
    """#
  ),
  (
    "? [a]\n: 1\n",
    #"""
    f.yaml:1:3: error: a key must be a single word or text, not a list
        ? [a]
          ^
    """#
  ),
  (
    "{{a: 1}: 2}\n",
    #"""
    f.yaml:1:2: error: a key must be a single word or text, not a mapping
        {{a: 1}: 2}
         ^
    """#
  ),
  (
    "<<: 1\n",
    #"""
    f.yaml:1:5: error: '<<' merges mappings: it takes an alias of one, one in place, or a list of \#
    those, not a single value
        <<: 1
            ^
    """#
  ),
  (
    "<<: [1]\n",
    #"""
    f.yaml:1:6: error: '<<' merges mappings: it takes an alias of one, one in place, or a list of \#
    those, not a single value
        <<: [1]
             ^
    """#
  ),
  (
    "a: &a 1\n<<: *a\n",
    #"""
    f.yaml:2:5: error: '<<' merges mappings: it takes an alias of one, one in place, or a list of \#
    those, not a single value
        <<: *a
            ^
    """#
  ),
  (
    "a: &a {x: 1}\n<<: [*a, 1]\n",
    #"""
    f.yaml:2:10: error: '<<' merges mappings: it takes an alias of one, one in place, or a list of \#
    those, not a single value
        <<: [*a, 1]
                 ^
    """#
  ),
  (
    "a: &a {}\n<<: *a\n<<: *a\n",
    #"""
    f.yaml:3:1: error: '<<' is given twice in one mapping; use '<<: [*first, *second]' for several merges
        <<: *a
        ^
    f.yaml:2:1: note: first given here
        <<: *a
        ^
    """#
  ),
  (
    "%YAML 2.0\n---\na: 1\n",
    #"""
    f.yaml:1:1: error: only YAML 1.1 and 1.2 can be read
        %YAML 2.0
        ^
    """#
  ),
  (
    "a: \"\\ud83d\\ude00\"\n",
    #"""
    f.yaml:1:7: error: this escape stands for no character by itself; write the character, or \U \#
    and its eight hexadecimal digits
        a: "\ud83d\ude00"
              ^
    """#
  ),
  (
    "a: \"\\q\"\n",
    #"""
    f.yaml:1:5: error: found unknown escape character while parsing a quoted scalar
        a: "\q"
            ^
    f.yaml:1:4: note: the quoted scalar begins here
        a: "\q"
           ^
    """#
  ),
  (
    "a: \"\\uzz\"\n",
    #"""
    f.yaml:1:7: error: this escape needs more hexadecimal digits
        a: "\uzz"
              ^
    """#
  ),
  (
    "a: 'b\n---\n'",
    #"""
    f.yaml:2:1: error: found unexpected document indicator while scanning a quoted scalar
        ---
        ^
    f.yaml:1:4: note: the quoted scalar begins here
        a: 'b
           ^
    """#
  ),
  (
    "a: \"b\n",
    #"""
    f.yaml:1:6: error: the closing quote is missing
        a: "b
             ^
    f.yaml:1:4: note: the quoted scalar begins here
        a: "b
           ^
    """#
  ),
  (
    "a:\n  - 1\n - 2\n",
    #"""
    f.yaml:3:2: error: did not find expected key while parsing a block mapping
         - 2
         ^
    f.yaml:1:1: note: the block mapping begins here
        a:
        ^
    """#
  ),
  (
    "a: |0\n",
    #"""
    f.yaml:1:5: error: found an indentation indicator equal to 0 while scanning a block scalar
        a: |0
            ^
    f.yaml:1:4: note: the block scalar begins here
        a: |0
           ^
    """#
  ),
  (
    "a: &\n",
    #"""
    f.yaml:1:5: error: did not find expected alphabetic or numeric character while scanning an anchor
        a: &
            ^
    f.yaml:1:4: note: the anchor begins here
        a: &
           ^
    """#
  ),
  (
    "a: &x *y\n",
    #"""
    f.yaml:1:7: error: did not find expected key while parsing a block mapping
        a: &x *y
              ^
    f.yaml:1:1: note: the block mapping begins here
        a: &x *y
        ^
    """#
  ),
  (
    "a: 1\n b: 2\n",
    #"""
    f.yaml:2:3: error: mapping values are not allowed in this context
         b: 2
          ^
    """#
  ),
  (
    "key\n: 1\n",
    #"""
    f.yaml:2:1: error: unexpected text after the end of the document
        : 1
        ^
    """#
  ),
  (
    "a: |\n  x\n\ty\n",
    #"""
    f.yaml:3:1: error: a tab cannot indent YAML; use spaces
         y
        ^
    """#
  ),
  (
    "a: - b\n",
    #"""
    f.yaml:1:4: error: block sequence entries are not allowed in this context
        a: - b
           ^
    """#
  ),
  (
    "- ? a\n  b\n",
    #"""
    f.yaml:2:4: error: could not find expected ':' while scanning a simple key
          b
           ^
    f.yaml:2:3: note: the simple key begins here
          b
          ^
    """#
  ),
  (
    "é\u{2028}a: é: b\n",
    #"""
    f.yaml:2:2: error: mapping values are not allowed in this context
        a: é: b
         ^
    """#
  ),
  (
    "a: 1\r\nb: c: d\r\n",
    #"""
    f.yaml:2:5: error: mapping values are not allowed in this context
        b: c: d
            ^
    """#
  ),
  (
    "a: 1\rb: c: d\r",
    #"""
    f.yaml:2:5: error: mapping values are not allowed in this context
        b: c: d
            ^
    """#
  ),
  (
    "[a]: 1\n",
    #"""
    f.yaml:1:1: error: a key must be a single word or text, not a list
        [a]: 1
        ^
    """#
  ),
  (
    "a: %x\n",
    #"""
    f.yaml:1:4: error: a value cannot begin with '%'; put it in quotes
        a: %x
           ^
    """#
  ),
  (
    "a: 'x' y\n",
    #"""
    f.yaml:1:8: error: did not find expected key while parsing a block mapping
        a: 'x' y
               ^
    f.yaml:1:1: note: the block mapping begins here
        a: 'x' y
        ^
    """#
  ),
  (
    "a: [x, ,]\n",
    #"""
    f.yaml:1:8: error: did not find expected node content while parsing a flow node
        a: [x, ,]
               ^
    """#
  ),
  (
    "*a\n",
    #"""
    f.yaml:1:1: error: no anchor '&a' comes before this alias
        *a
        ^
    """#
  ),
  (
    "a: b\n...\n---\nc\n",
    #"""
    f.yaml:3:1: error: a second document begins here; put it into a file of its own
        ---
        ^
    """#
  ),
]
