const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;
const HIGH_SURROGATE_LAST = /[\ud800-\udbff]$/;
const REPLACEMENT = '\ufffd';

/** Why PostgreSQL cannot store `text`, as the rest of a sentence; `undefined` if it can. */
export function textProblem(text: string): string | undefined {
  if (text.includes('\u0000')) return 'contains \\u0000, which PostgreSQL cannot store; remove it';
  if (LONE_SURROGATE.test(text)) {
    return 'contains half of a surrogate pair, which is not valid Unicode; perhaps it was cut inside an emoji';
  }
  return undefined;
}

/**
 * Makes `text` storable: it removes `\u0000`, replaces lone surrogates by U+FFFD, and cuts the text to `maxLength`
 * characters (default: not cut), of which the last is an ellipsis. For failures, which must be stored in any case.
 */
export function sanitizeText(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  // Cut first, which bounds the work. A surrogate pair at the cut is dropped as a whole.
  const cut =
    text.length > maxLength
      ? `${text.slice(0, Math.max(0, maxLength - 1)).replace(HIGH_SURROGATE_LAST, '')}…`
      : text;
  return cut.replaceAll('\u0000', '').replace(LONE_SURROGATES, REPLACEMENT);
}

/** A thrown value as text. Never throws. */
export function textOfThrown(thrown: unknown, maxLength: number): string {
  try {
    return sanitizeText(String(thrown), maxLength);
  } catch {
    return `a thrown ${typeof thrown} that cannot be shown`;
  }
}
