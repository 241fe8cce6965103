import { changeTexts } from '../workload/failpoints.js';
import { MILLION } from './limited.js';

/** What a process does in place of the proof by tokens, to see that the audit notices it. */
export type Control = 'counting' | 'missingIsFree';

/** Only the claims of limited tasks have this. */
const CLAIM = 'WITH asked AS MATERIALIZED';
const SNAPSHOT = ') l ON true\n  ), total AS';
const HELD = 'count(*)::integer AS held';
const REST_HELD = 'cardinality(s.h_execution) - g.count AS held';
const ALL_HELD = 'cardinality(s.h_execution) AS held';
const YOUNG = "h.at > statement_timestamp() - interval '1 minute'";
const MISSING = `WHEN t.now IS NULL THEN ${YOUNG}`;
/**
 * A pause in seconds. Few claims wait long, and most hardly wait. While one waits, others claim tasks that were started after
 * its snapshot.
 */
const PAUSE = `0.2 * random() ^ ${MILLION ? 16 : 5}`;

/**
 * From now on each limited claim of the process waits between its snapshot and the lock of its keys, so that others claim
 * in between, however idle or slow the machine is. A control decides otherwise besides.
 *
 * @param missing - name of the sequence that counts the holders without a row
 */
export function widenRaces(control: Control | undefined, missing: string): void {
  changeTexts((text) => {
    if (!text.startsWith(CLAIM)) return text;
    const paused = replaced(
      text,
      SNAPSHOT,
      `) l ON true WHERE (SELECT count(*) FROM pg_sleep(${PAUSE})) = 1\n  ), total AS`,
    );
    if (control === 'counting') return counting(paused);
    const holds = control === 'missingIsFree' ? 'false' : `nextval('${missing}') > 0 AND ${YOUNG}`;
    return replaced(paused, MISSING, `WHEN t.now IS NULL THEN ${holds}`);
  });
}

/** What others do: count the Running tasks of the key, or of all keys, under the lock of its row. */
function counting(text: string): string {
  const table = /FROM (\S*task_execution\S*) t/.exec(text)?.[1] ?? '';
  const count = `(SELECT count(*)::integer FROM ${table} t
      WHERE t.status = 'Running' AND s.limit_key IN (t.limit_key, split_part(t.limit_key, chr(31), 1))) AS held`;
  return [HELD, REST_HELD, ALL_HELD].reduce(
    (changed, part) => replaced(changed, part, count),
    text,
  );
}

function replaced(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`The statement has no "${part}" any more.`);
  return text.replaceAll(part, by);
}
