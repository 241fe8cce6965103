/**
 * Encodes batches as parameters. Each column of a batch is one parameter, so a statement has the same text for all batch
 * sizes and is planned once.
 *
 * The array literals are built here instead of in the driver, because ids, integers and flags need no escaping, and the
 * driver's encoder checks every character of every element.
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
 * Joins JSON texts to one JSON array for `json_array_elements_text`, which returns each object as the same text, and `null`
 * as NULL. It needs no escaping, while an array literal would escape every quote in the JSON.
 */
export function jsonColumn(texts: readonly (string | null | undefined)[]): string {
  let column = '[';
  for (let i = 0; i < texts.length; i++) {
    if (i > 0) column += ',';
    column += texts[i] ?? 'null';
  }
  return column + ']';
}
