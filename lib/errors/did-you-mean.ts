import { distance } from 'fastest-levenshtein';

/** Max names in a message. The message counts the others. */
const MAX_LISTED = 20;

/**
 * The known name that was most likely meant. It differs in at most a third of its letters, or it is the only name that
 * contains the other one as a part, as `tenant_acme` contains `acme`.
 */
export function closestName(name: string, names: Iterable<string>): string | undefined {
  const known = [...names];
  return nearestName(name, known) ?? onlyNameWithPart(name, known);
}

function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of names) {
    const known = candidate.toLowerCase();
    const edits = isSwapped(wanted, known) ? 1 : distance(wanted, known);
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3));
    if (edits <= allowed && edits < bestDistance) {
      best = candidate;
      bestDistance = edits;
    }
  }
  return best;
}

function onlyNameWithPart(name: string, names: readonly string[]): string | undefined {
  const matches = names.filter(
    (candidate) =>
      partsOf(candidate).has(name.toLowerCase()) || partsOf(name).has(candidate.toLowerCase()),
  );
  return matches.length === 1 ? matches[0] : undefined;
}

/** The parts of a name: `tenant` and `acme` for `tenant_acme`. */
function partsOf(name: string): ReadonlySet<string> {
  return new Set(name.toLowerCase().split(/[^\p{L}\p{N}]+/u));
}

/** Whether the names differ only in two swapped neighbors: a single typing error, although it takes two edits. */
function isSwapped(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return (
    at < a.length &&
    a[at] === b[at + 1] &&
    a[at + 1] === b[at] &&
    a.slice(at + 2) === b.slice(at + 2)
  );
}

/** ` Did you mean "x"?` with a leading space, or an empty string. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const closest = closestName(name, known);
  return closest === undefined ? '' : ` Did you mean ${JSON.stringify(closest)}?`;
}

/** `"a", "b" and 3 more`; `none` for an empty list. */
export function listNames(names: readonly string[]): string {
  const distinct = [...new Set(names)].sort();
  if (distinct.length === 0) return 'none';
  const listed = distinct
    .slice(0, MAX_LISTED)
    .map((name) => JSON.stringify(name))
    .join(', ');
  return distinct.length > MAX_LISTED
    ? `${listed} and ${distinct.length - MAX_LISTED} more`
    : listed;
}
