import type { CheckedAdmission, WhenFull } from './admission.js';
import { optional, type Report } from './field-check.js';
import { isRecord } from './json-equality.js';
import { checkCount, checkFields, checkPath, checkRate } from './limit-check.js';
import { MAX_CONCURRENCY } from './limit.js';
import { formatRule } from './rule-check.js';

const FIELDS: ReadonlySet<string> = new Set(['key', 'concurrency', 'rate', 'whenFull']);
const WHEN_FULL: ReadonlySet<unknown> = new Set<WhenFull>([
  'queue',
  'skip',
  'cancelPrevious',
  'replaceQueued',
]);

/** Checks the admission of a workflow, and reports all problems. The result is only usable without problems. */
export function checkAdmission(source: unknown, report: Report): CheckedAdmission {
  const say: Report = (problem) => report(`has an admission that ${problem}`);
  if (!isRecord(source)) {
    say(
      `is ${formatRule(source)}; it must be an object such as { key: 'accountId', concurrency: 1 }`,
    );
    return { concurrency: 1, whenFull: 'queue' };
  }
  checkFields(source, FIELDS, say);
  const { key, concurrency, rate, whenFull = 'queue' } = source;
  if (concurrency === undefined && rate === undefined) {
    say("has neither 'concurrency' nor 'rate'; add one of them");
  }
  if (!WHEN_FULL.has(whenFull)) {
    say(
      `has the whenFull ${formatRule(whenFull)}; it must be 'queue', 'skip', 'cancelPrevious' or 'replaceQueued'`,
    );
  }
  return {
    ...optional('key', key === undefined ? undefined : checkPath(key, say)),
    concurrency: checkCount(concurrency, 'concurrency', 1, MAX_CONCURRENCY, say) ?? MAX_CONCURRENCY,
    ...optional('rate', rate === undefined ? undefined : checkRate(rate, say)),
    whenFull: whenFull as WhenFull,
  };
}
