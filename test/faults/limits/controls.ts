import { changeTexts } from '../workload/failpoints.js';

/** What a process does in place of the proof by tokens, to see that the audit notices it. */
export type Control = 'counting' | 'missingIsFree';

/** Only the claims of limited tasks have this. */
const CLAIM = 'WITH asked AS MATERIALIZED';
const SNAPSHOT = ') l ON true\n  ), total AS';
const HELD = 'count(*)::integer AS held';
const ALL_HELD = 'cardinality(s.h_execution) AS held';
const MISSING = "WHEN t.now IS NULL THEN h.at > statement_timestamp() - interval '1 minute'";
/** The longest pause. Of two claims, the one with the earlier snapshot must be able to get the lock later. */
const PAUSE_SECONDS = 0.02;
/** Of a control, which has to be noticed soon. */
const LONG_PAUSE_SECONDS = 0.1;

/**
 * From now on each limited claim of the process waits between its snapshot and the lock of its keys, so that others claim
 * in between, however idle or slow the machine is. A control decides otherwise besides.
 */
export function widenRaces(control: Control | undefined): void {
  changeTexts((text) => {
    if (!text.startsWith(CLAIM)) return text;
    const paused = replaced(
      text,
      SNAPSHOT,
      `) l ON true WHERE (SELECT count(*) FROM pg_sleep(random() * ${control === undefined ? PAUSE_SECONDS : LONG_PAUSE_SECONDS})) = 1\n  ), total AS`,
    );
    if (control === undefined) return paused;
    return control === 'counting'
      ? counting(paused)
      : replaced(paused, MISSING, 'WHEN t.now IS NULL THEN false');
  });
}

/** What others do: count the Running tasks of the key, or of all keys, under the lock of its row. */
function counting(text: string): string {
  const table = /FROM (\S*task_execution\S*) t/.exec(text)?.[1] ?? '';
  const count = `(SELECT count(*)::integer FROM ${table} t
      WHERE t.status = 'Running' AND s.limit_key IN (t.limit_key, split_part(t.limit_key, chr(31), 1))) AS held`;
  return replaced(replaced(text, HELD, count), ALL_HELD, count);
}

function replaced(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`The statement has no "${part}" any more.`);
  return text.replaceAll(part, by);
}
