/**
 * How batches become parameters. Each column of a batch is one parameter, so a statement has the same text
 * whatever the size of its batch and is planned once.
 *
 * The array literals are written here rather than by the driver: for ids, integers and flags nothing needs
 * escaping, and the driver's own encoder looks at every character of every element.
 */

/** For uuid[], integer[], bigint[] and boolean[]; `null` and `undefined` become NULL. */
export function plainArray(
  values: readonly (string | number | boolean | null | undefined)[],
): string {
  let literal = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) literal += ',';
    literal += values[i] ?? 'NULL';
  }
  return literal + '}';
}

/**
 * JSON texts as one JSON array, taken apart with `json_array_elements_text`: an object comes out as the text that
 * went in, and `null` as NULL. Needs no escaping, which an array literal of JSON would on every quote.
 */
export function jsonColumn(texts: readonly (string | null | undefined)[]): string {
  let column = '[';
  for (let i = 0; i < texts.length; i++) {
    if (i > 0) column += ',';
    column += texts[i] ?? 'null';
  }
  return column + ']';
}
