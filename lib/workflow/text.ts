const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;
const HIGH_SURROGATE_LAST = /[\ud800-\udbff]$/;
const REPLACEMENT = '\ufffd';

/** What keeps `text` from being stored, as the rest of a sentence; `undefined` when nothing does. */
export function textProblem(text: string): string | undefined {
  if (text.includes('\u0000')) return 'contains \\u0000, which PostgreSQL cannot store; remove it';
  if (LONE_SURROGATE.test(text)) {
    return 'contains half of a surrogate pair, which is not valid Unicode; perhaps it was cut inside an emoji';
  }
  return undefined;
}

/**
 * `text` as it can be stored, for the failure path, where nothing may be refused: without `\u0000`, with U+FFFD for
 * lone surrogates, and cut to `maxLength` characters (default: not cut) with an ellipsis as the last.
 */
export function sanitizeText(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  // Cut first, so that the work is bounded too; a pair that was cut in two is dropped whole.
  const cut =
    text.length > maxLength
      ? `${text.slice(0, Math.max(0, maxLength - 1)).replace(HIGH_SURROGATE_LAST, '')}…`
      : text;
  return cut.replaceAll('\u0000', '').replace(LONE_SURROGATES, REPLACEMENT);
}

/** What was thrown, as one text; never throws, whatever it is. */
export function textOfThrown(thrown: unknown, maxLength: number): string {
  try {
    return sanitizeText(String(thrown), maxLength);
  } catch {
    return `a thrown ${typeof thrown} that cannot be shown`;
  }
}
